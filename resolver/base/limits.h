/* Every bound of the program, named. A loop, queue, list or retry that depends on input stops at one of these. */
#ifndef CANDOR_BASE_LIMITS_H
#define CANDOR_BASE_LIMITS_H

enum {
    /* configuration */
    LIMIT_CONF_BYTES = 4 << 20,
    LIMIT_CONF_DEPTH = 12,        /* mappings and sequences inside each other */
    LIMIT_CONF_KEYS = 64,         /* in one mapping */
    LIMIT_CONF_LIST = 1024,       /* entries of a sequence that has no closer limit */
    LIMIT_LOCAL_DATA = 4096,      /* lines of resolver.local-data */
    LIMIT_CONF_TEXT = 1024,       /* bytes of one value */
    LIMIT_CONF_RUN = 3840,        /* bytes of node.run: the names made in it stay below PATH_MAX */
    LIMIT_CONF_OPTIONS = 1 << 16, /* bytes of a zone's options in one line (conf_members.h) */
    LIMIT_LISTEN = 16,
    LIMIT_WORKERS = 64,
    LIMIT_ZONES = 1024,
    LIMIT_UPSTREAMS = 32, /* distinct forward addresses */
    LIMIT_GUARDS = 64,    /* remote lists */
    LIMIT_PEERS = 64,
    LIMIT_NODES = 2048, /* that a monitor watches */

    /* DNS messages */
    LIMIT_NAME_WIRE = 255,
    LIMIT_LABELS = 127,
    LIMIT_POINTER_HOPS = 127, /* each strictly backward */
    LIMIT_MESSAGE = 65535,
    LIMIT_RRS_PER_MESSAGE = 8192,
    LIMIT_EDNS_OPTIONS = 32,

    /* serving */
    LIMIT_UDP_BATCH = 32,           /* datagrams per recvmmsg */
    LIMIT_UDP_BATCHES_PER_WAKE = 8, /* then the loop turns */
    LIMIT_UDP_QUERY = 4096,         /* longest datagram read */
    LIMIT_TCP_CONNECTIONS = 512,    /* per worker */
    LIMIT_TCP_PER_CLIENT = 32,
    LIMIT_TCP_PIPELINE = 64,   /* unanswered queries per connection */
    LIMIT_TCP_IDLE_MS = 10000, /* unless resolver.tcp-idle says otherwise */
    LIMIT_TCP_IDLE_MAX_MS = 600000,
    LIMIT_FLIGHTS = 4096,    /* upstream questions under way, per worker */
    LIMIT_JOINERS = 1024,    /* clients that wait on one flight */
    LIMIT_FORWARD_TRIES = 6, /* sends per question over all servers */

    /* zones */
    LIMIT_LOAD_LINE = 65536,
    LIMIT_LOAD_ERRORS_SHOWN = 20,
    LIMIT_LOAD_ENTRIES = 200000000,
    LIMIT_DATASETS = 64, /* per zone, the parts of combined ones each */
    LIMIT_FILES = 64,    /* per dataset */
    LIMIT_VALUES = 1 << 24,
    LIMIT_TXT = 255,
    LIMIT_ANSWER_RRS = 256, /* RRs one blocklist question can have: that many or more are SERVFAIL */
    LIMIT_READER_LIFE_MS = 1000,

    /* control and health */
    LIMIT_CONTROL_CLIENTS = 256,
    LIMIT_CONTROL_LINE = 1 << 20,
    LIMIT_HISTORY = 1024,
    LIMIT_PROBES_IN_FLIGHT = 64,
    LIMIT_HTTP_CONNECTIONS = 64,
    LIMIT_HTTP_PER_ADDRESS = 32,
};

#endif
