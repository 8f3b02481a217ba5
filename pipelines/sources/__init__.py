"""Where activities come from: dlt sources that work by themselves in any dlt project, so they import nothing of ours."""
