#include "resolver/base/conf_raw_rbl.h"

static const cyaml_schema_field_t key_fields[] = {
    CONF_RAW_TEXT("name", struct conf_raw_key, name),
    CONF_RAW_TEXT("algorithm", struct conf_raw_key, algorithm),
    CONF_RAW_TEXT("secret", struct conf_raw_key, secret),
    CONF_RAW_TEXT("secret-file", struct conf_raw_key, secret_file),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t key_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_key, key_fields)};

static const cyaml_schema_field_t rule_fields[] = {
    CONF_RAW_TEXT("address", struct conf_raw_rule, address),
    CONF_RAW_TEXT("key", struct conf_raw_rule, key),
    CONF_RAW_TEXT("tls-name", struct conf_raw_rule, tls_name),
    CONF_RAW_TEXT("ca", struct conf_raw_rule, ca),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t rule_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_rule, rule_fields)};

#define RULES(key_, s, m) CONF_RAW_MAPS(key_, s, m.at, m.count, &rule_entry, LIMIT_PEERS)

static const cyaml_schema_field_t dataset_fields[] = {
    CONF_RAW_TEXT("type", struct conf_raw_dataset, type),
    CONF_RAW_TEXTS("files", struct conf_raw_dataset, files, LIMIT_FILES),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t dataset_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_dataset, dataset_fields)};

static const cyaml_schema_field_t soa_fields[] = {
    CONF_RAW_TEXT("primary", struct conf_raw_soa, primary),
    CONF_RAW_TEXT("contact", struct conf_raw_soa, contact),
    CONF_RAW_TEXT("refresh", struct conf_raw_soa, refresh),
    CONF_RAW_TEXT("retry", struct conf_raw_soa, retry),
    CONF_RAW_TEXT("expire", struct conf_raw_soa, expire),
    CONF_RAW_TEXT("minimum", struct conf_raw_soa, minimum),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
    CONF_RAW_TEXT("shrink", struct conf_raw_zone_limits, shrink),
    CONF_RAW_TEXT("grow", struct conf_raw_zone_limits, grow),
    CONF_RAW_TEXT("entries", struct conf_raw_zone_limits, entries),
    CONF_RAW_TEXT("space", struct conf_raw_zone_limits, space),
    CONF_RAW_TEXT("tlds", struct conf_raw_zone_limits, tlds),
    CONF_RAW_TEXT("values", struct conf_raw_zone_limits, values),
    CYAML_FIELD_END,
};

static const cyaml_schema_field_t zone_fields[] = {
    CONF_RAW_TEXT("name", struct conf_raw_zone, name),
    CONF_RAW_MAPS("data", struct conf_raw_zone, data, data_count, &dataset_entry, LIMIT_DATASETS - 1),
    CONF_RAW_TEXT("host-bits", struct conf_raw_zone, host_bits),
    RULES("primaries", struct conf_raw_zone, primaries),
    RULES("update", struct conf_raw_zone, update),
    RULES("notify", struct conf_raw_zone, notify),
    RULES("transfer", struct conf_raw_zone, transfer),
    CONF_RAW_TEXTS("allow", struct conf_raw_zone, allow, LIMIT_CONF_LIST),
    CONF_RAW_MAP("soa", struct conf_raw_zone, soa, soa_fields),
    CONF_RAW_TEXTS("ns", struct conf_raw_zone, ns, LIMIT_ANSWER_RRS),
    CONF_RAW_TEXT("ttl", struct conf_raw_zone, ttl),
    CONF_RAW_TEXT("min-ttl", struct conf_raw_zone, min_ttl),
    CONF_RAW_TEXT("max-ttl", struct conf_raw_zone, max_ttl),
    CONF_RAW_TEXT("test", struct conf_raw_zone, test),
    CONF_RAW_MAP("limits", struct conf_raw_zone, limits, limits_fields),
    CONF_RAW_TEXT("on-expire", struct conf_raw_zone, on_expire),
    CONF_RAW_TEXT("journal", struct conf_raw_zone, journal),
    RULES("pair", struct conf_raw_zone, pair),
    CONF_RAW_TEXT("role", struct conf_raw_zone, role),
    CONF_RAW_TEXT("heartbeat", struct conf_raw_zone, heartbeat),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t zone_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_zone, zone_fields)};

static const cyaml_schema_field_t catalog_fields[] = {
    CONF_RAW_TEXT("name", struct conf_raw_catalog, name),
    RULES("primaries", struct conf_raw_catalog, primaries),
    RULES("notify", struct conf_raw_catalog, notify),
    RULES("transfer", struct conf_raw_catalog, transfer),
    CONF_RAW_TEXTS("zones", struct conf_raw_catalog, zones, LIMIT_CONF_LIST),
    CONF_RAW_MAPS("groups", struct conf_raw_catalog, groups, group_count, &zone_entry, LIMIT_PEERS),
    CONF_RAW_TEXT("grace", struct conf_raw_catalog, grace),
    CONF_RAW_TEXT("shrink", struct conf_raw_catalog, shrink),
    CYAML_FIELD_END,
};
static const cyaml_schema_value_t catalog_entry = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct conf_raw_catalog, catalog_fields)};

static const cyaml_schema_field_t transfers_fields[] = {
    CONF_RAW_TEXT("out", struct conf_raw_transfers, out),
    CONF_RAW_TEXT("out-per-peer", struct conf_raw_transfers, out_per_peer),
    CONF_RAW_TEXT("in", struct conf_raw_transfers, in),
    CONF_RAW_TEXT("life", struct conf_raw_transfers, life),
    CYAML_FIELD_END,
};

const cyaml_schema_field_t conf_schema_rbl[] = {
    CONF_RAW_TEXTS("listen", struct conf_raw_rbl, listen, LIMIT_LISTEN),
    CONF_RAW_MAP("tls", struct conf_raw_rbl, tls, conf_schema_transfer_tls),
    CONF_RAW_MAP("transfers", struct conf_raw_rbl, transfers, transfers_fields),
    CONF_RAW_MAPS("keys", struct conf_raw_rbl, keys, key_count, &key_entry, LIMIT_CONF_LIST),
    CONF_RAW_MAPS("zones", struct conf_raw_rbl, zones, zone_count, &zone_entry, LIMIT_ZONES),
    CONF_RAW_MAPS("catalogs", struct conf_raw_rbl, catalogs, catalog_count, &catalog_entry, LIMIT_PEERS),
    CYAML_FIELD_END,
};
