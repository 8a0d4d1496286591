"""The engines a server stands on, out of wheels: PostgreSQL, NATS JetStream, Valkey and SeaweedFS's S3.

They run as child processes on loopback, with their data under one directory, and live as long as the
process that started them. `Engines` is the part to put into a lifecycle; `python -m
messenger.standalone.engines` runs nothing but them. The other modules, each with one job:

    engines      all four together          supervisor   one engine, kept running
    postgres, nats, valkey, seaweedfs       what is particular to each
    process      starting a process         launch       what that process does before it is the engine
    probes       does it serve?             leftovers    ending what an earlier server left
    datadir      what lies where            credentials  passwords          ports     who listens where
    account      as whom they run           wheels       where the programs are
    pidfd        a process, held by a descriptor
"""
