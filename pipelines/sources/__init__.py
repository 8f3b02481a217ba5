"""Where activities come from: dlt sources that work by themselves in any dlt project, so they import none of ours."""
