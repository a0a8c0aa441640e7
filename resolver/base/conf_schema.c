#include "resolver/base/conf_raw_health.h"
#include "resolver/base/conf_raw_rbl.h"
#include "resolver/base/conf_raw_resolver.h"

const cyaml_schema_value_t conf_schema_text = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

const cyaml_schema_field_t conf_schema_tls[] = {
    CONF_RAW_TEXT("certificate", struct conf_raw_tls, certificate),
    CONF_RAW_TEXT("key", struct conf_raw_tls, key),
    CYAML_FIELD_END,
};

const cyaml_schema_field_t conf_schema_transfer_tls[] = {
    CONF_RAW_TEXT("certificate", struct conf_raw_tls, certificate),
    CONF_RAW_TEXT("key", struct conf_raw_tls, key),
    CONF_RAW_TEXT("ca", struct conf_raw_tls, ca),
    CONF_RAW_TEXTS("listen", struct conf_raw_tls, listen, LIMIT_LISTEN),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t remote_fields[] = {
    CONF_RAW_TEXT("catalog", struct conf_raw_remote, catalog),
    CONF_RAW_TEXTS("allow", struct conf_raw_remote, allow, LIMIT_CONF_LIST),
    CONF_RAW_TEXTS("over", struct conf_raw_remote, over, LIMIT_CONF_LIST),
    CONF_RAW_TEXT("ca", struct conf_raw_remote, ca),
    CONF_RAW_TEXT("trial", struct conf_raw_remote, trial),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t node_fields[] = {
    CONF_RAW_TEXT("name", struct conf_raw_node, name),
    CONF_RAW_TEXT("state", struct conf_raw_node, state),
    CONF_RAW_TEXT("run", struct conf_raw_node, run),
    CONF_RAW_TEXT("user", struct conf_raw_node, user),
    CONF_RAW_MAP("remote", struct conf_raw_node, remote, remote_fields),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
    CONF_RAW_TEXT("level", struct conf_raw_log, level),
    CONF_RAW_TEXT("format", struct conf_raw_log, format),
    CONF_RAW_TEXT("target", struct conf_raw_log, target),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t top_fields[] = {
    CONF_RAW_MAP("node", struct conf_raw, node, node_fields),
    CONF_RAW_MAP("log", struct conf_raw, log, log_fields),
    CONF_RAW_MAP("resolver", struct conf_raw, resolver, conf_schema_resolver),
    CONF_RAW_MAP("rbl", struct conf_raw, rbl, conf_schema_rbl),
    CONF_RAW_MAP("health", struct conf_raw, health, conf_schema_health),
    CYAML_FIELD_END,
};

const cyaml_schema_value_t conf_schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct conf_raw, top_fields)};
