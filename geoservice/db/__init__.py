"""The one store: embedded or foreign PostgreSQL, roles, pools, migrations, layer tables."""
