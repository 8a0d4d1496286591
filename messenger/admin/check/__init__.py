"""`messenger-admin check`: does what is stored agree with itself? and, with `--repair`, mending what is safe.

    walk         how a check walks through a table, tells what it found, and mends
    messages     numbers, cursors, members, blocks, expiry
    accounts     devices, sessions, keys
    files        quota, shares, uploads
    blobs        the bucket against the rows
    outboxes     events that don't get out
    running      all of them, in order

Everything runs beside the living system. A check goes through its table a page at a time, in short
statements of their own: nothing is locked, no vacuum is held up, and memory does not grow with the system.
Each statement sees one state of the database, in which what is committed together stands together; so what is
found is so. What follows only after a while (the keys of a removed device) is looked at twice.

What is mended is mended under the lock of its row, after a second look under that lock, and is written down
in `auth.audit`. What would need a guess is left, and the line says why.
"""
