-- Whether all triggers are there, and switched on.
SELECT count(*) = {triggers} FROM pg_trigger
WHERE starts_with(tgname, '{prefix}') AND tgenabled = 'A' AND NOT tgisinternal
