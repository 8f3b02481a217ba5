"""What the driver of Spark gets of the caller's environment."""

from pathlib import Path

from pipelines.ground.settings import StravaSettings
from spark.places import Places

SECRETS = ("STRAVA_CLIENT_SECRET", "STRAVA_REFRESH_TOKEN", "STRAVA_STATE_PASSPHRASE", "HTTPS_PROXY", "GITHUB_TOKEN")


def test_no_secret_but_the_keys_of_a_bucket_reaches_spark(tmp_path: Path, monkeypatch):
    for name in SECRETS:
        monkeypatch.setenv(name, "do not tell")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the bucket")
    monkeypatch.setenv("JAVA_HOME", "/opt/java")
    monkeypatch.setenv("STRAVA_SPARK_MASTER", "local[2]")
    given = Places(StravaSettings(home=str(tmp_path))).environment("iceberg.jar")
    assert "do not tell" not in given.values()
    expected = {"AWS_SECRET_ACCESS_KEY": "of the bucket", "JAVA_HOME": "/opt/java", "STRAVA_SPARK_MASTER": "local[2]"}
    assert expected.items() <= given.items()
    assert given["STRAVA_SPARK_BRONZE"] == str(tmp_path / "data")
