"""`messenger-admin backup` and `restore`: database and blobs, consistent with each other.

    tables      what of each table goes into a backup, and why the rest does not
    folder      what lies where in a backup's folder; hashes; what is removed again
    dump        the database's part of a backup
    copying     the blobs' part of a backup
    making      both, in order
    checking    is a backup whole? before a restore touches anything
    destination the data directory that a restore goes into
    load        the database's part of a restore
    restoring   all of a restore, in order

How both stay consistent: the tables and the list of blobs come from one snapshot of the database. A blob is
never changed, and is removed only after its row is gone; so what the list has and S3 has not is looked up in
the database as it is now. Where its row is gone its user has deleted it meanwhile, and the backup notes that
the row goes at a restore too. Where the row is there the blob is lost, and the backup says so. Nothing has to
be held up for it, and no deleted file lives on because a backup was running.

Why not pg_dump: it has to be there, and as new as the server, wherever this runs; the driver that everything
else uses has COPY. The tables' definitions are the migrations', at the version that the manifest names.
"""
