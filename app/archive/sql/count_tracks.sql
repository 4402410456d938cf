{plays}
SELECT track AS number, plays, listen_time_ms FROM timed
