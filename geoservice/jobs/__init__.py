"""Jobs: a queue in PostgreSQL, workers, uploads, watched folders, schedules.

The queue is one table. A worker claims a row (FOR UPDATE SKIP LOCKED) and holds a session advisory lock on the job for
as long as it lives. When it is killed, its connection ends and the lock falls with it, so that the job is seen as
orphaned at once and done again: there is no heartbeat, no lease that must run out, and no clock to agree on. The
outcome of a job is written in the transaction of its load (`ingest.outcome`), so a load is never done twice. Queue
libraries keep the end of a job in a transaction of their own, after the work; that is why none is used here.
"""
