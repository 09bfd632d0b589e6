/* What the verbs answer about the running appliance: counters, tables, ports. Control thread. */
#pragma once

#include "control/show.h"

struct daemon;
struct trace_record;

typedef json_t *running_function(struct daemon *d, const struct request *r, struct failure *f);

running_function show_status;                                           /* show_status.c */
running_function show_ports, show_port;                                 /* show_ports.c */
running_function show_drops, show_stats, show_rates;                    /* show_counters.c */
running_function show_sas;                                              /* show_sas.c */
running_function show_connections, show_connection, reset_connection;   /* show_connections.c */
running_function show_clients;                                          /* show_clients.c */
running_function troubleshoot;                                          /* show_troubleshoot.c */
running_function show_ha;                                               /* show_ha.c */
running_function drain_ha, resume_ha;                                   /* ha.c */
running_function show_flows, show_neighbours;                           /* show_tables.c */
json_t *trace_json(const struct show *s, const struct trace_record *r); /* show_trace.c */

/* What workers hand to control, by class; what daemons in the control namespace get and send: show_local.c */
json_t *exception_path_json(const struct daemon *d);
json_t *control_namespace_json(const struct daemon *d); /* null: there is none */
json_t *gateway_namespaces_json(const struct daemon *d);
json_t *connection_sas_json(const struct daemon *d, uint32_t connection);
/* Dropped packets with their rates, the most frequent first; all: unseen reasons as well. */
json_t *drops_json(struct daemon *d, bool all);
