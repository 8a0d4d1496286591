"""The bus: what happened, to whoever must know, by NATS JetStream. Only here nats-py is met."""
