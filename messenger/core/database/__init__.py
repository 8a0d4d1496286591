"""PostgreSQL: a pool of connections, statements, transactions. Only here psycopg2 and txpostgres are met."""
