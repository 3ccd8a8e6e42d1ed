"""The tables of a configuration database, as SQL.

The tables of Mongrel2 1.x, which contain every column of the 2010 manual: servers and tools of both
generations read what is written here. `log` is never dropped: the history outlives init and load.
Used by db.py alone.
"""

from __future__ import annotations

TABLES = {
    "server": """
        id INTEGER PRIMARY KEY,
        uuid TEXT,
        access_log TEXT,
        error_log TEXT,
        error_log_level INTEGER DEFAULT 2,
        chroot TEXT DEFAULT '/var/www',
        pid_file TEXT,
        control_port TEXT DEFAULT '',
        default_host TEXT,
        name TEXT DEFAULT '',
        bind_addr TEXT DEFAULT '0.0.0.0',
        port INTEGER,
        use_ssl INTEGER DEFAULT 0,
        proxy_protocol INTEGER DEFAULT 0""",
    # Not known to 1.x: further places where clients come in.
    "listener": """
        id INTEGER PRIMARY KEY,
        server_id INTEGER,
        address TEXT,
        port INTEGER DEFAULT 0,
        proxy_protocol INTEGER DEFAULT 0,
        mode TEXT DEFAULT '0660'""",
    "host": """
        id INTEGER PRIMARY KEY,
        server_id INTEGER,
        maintenance BOOLEAN DEFAULT 0,
        name TEXT,
        matching TEXT""",
    "handler": """
        id INTEGER PRIMARY KEY,
        send_spec TEXT,
        send_ident TEXT,
        recv_spec TEXT,
        recv_ident TEXT,
        raw_payload INTEGER DEFAULT 0,
        protocol TEXT DEFAULT 'json',
        replies TEXT DEFAULT 'sub',
        slow_clients TEXT DEFAULT 'close',
        websocket TEXT DEFAULT 'frames',
        timeout_ms INTEGER,
        grace_ms INTEGER""",
    "proxy": """
        id INTEGER PRIMARY KEY,
        addr TEXT,
        port INTEGER,
        balance TEXT DEFAULT 'round_robin'""",
    "directory": """
        id INTEGER PRIMARY KEY,
        base TEXT,
        index_file TEXT,
        default_ctype TEXT,
        cache_ttl INTEGER DEFAULT 0,
        listing INTEGER DEFAULT 0,
        precompressed INTEGER DEFAULT 0""",
    "route": """
        id INTEGER PRIMARY KEY,
        path TEXT,
        reversed BOOLEAN DEFAULT 0,
        host_id INTEGER,
        target_id INTEGER,
        target_type TEXT,
        timeout_ms INTEGER""",
    "setting": """
        id INTEGER PRIMARY KEY,
        key TEXT,
        value TEXT""",
    "mimetype": """
        id INTEGER PRIMARY KEY,
        mimetype TEXT,
        extension TEXT""",
    "filter": """
        id INTEGER PRIMARY KEY,
        server_id INTEGER,
        name TEXT,
        settings TEXT""",
    "xrequest": """
        id INTEGER PRIMARY KEY,
        server_id INTEGER,
        name TEXT,
        settings TEXT""",
    # Nothing reads or writes it, but tools of the first generation expect that it is there.
    "statistic": """
        id SERIAL,
        other_type TEXT,
        other_id INTEGER,
        name TEXT,
        sum REAL,
        sumsq REAL,
        n INTEGER,
        min REAL,
        max REAL,
        mean REAL,
        sd REAL,
        PRIMARY KEY (other_type, other_id, name)""",
}

LOG_TABLE = """
        id INTEGER PRIMARY KEY,
        who TEXT,
        what TEXT,
        location TEXT,
        happened_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        how TEXT,
        why TEXT"""


def rebuild_statements() -> list[str]:
    """The statements that make every table anew and keep `log`."""
    statements = []
    for name, columns in TABLES.items():
        statements.append(f"DROP TABLE IF EXISTS {name}")
        statements.append(f"CREATE TABLE {name} ({columns})")
    statements.append(f"CREATE TABLE IF NOT EXISTS log ({LOG_TABLE})")
    return statements
