"""`messenger-admin doctor`: is everything as it has to be? One line for each thing, in words, and what to do.

    findings        the lines and their sum
    configuration   settings that can't be meant, secrets, certificates
    postgresql      version, settings, roles, schemas, rights, clock
    redundancy      what one lost machine of PostgreSQL or NATS costs
    engines         NATS, S3, Redis
    services        each process's /ready and /health, descriptors, versions
    requests        how they are asked
    running         all of them, in order

It changes nothing but for what it removes again: a blob of a few bytes, and the bucket and the streams, which
a service would make at its start.
"""
