/* A traced packet: what each stage did, as data and as a line to read. */
#include "control/show_running.h"

#include "dataplane/dataplane.h"
#include "drivers/port.h"

#include <rte_cycles.h>

#include <stdio.h>

static const char *
punt_class_text(uint32_t class)
{
	static const char *const text[PUNT_CLASS_COUNT] = {
		[PUNT_NEIGHBOUR] = "waits for its next hop's MAC address",
		[PUNT_ARP_ND] = "ARP or neighbour discovery",
		[PUNT_ECHO] = "echo to the appliance",
		[PUNT_ICMP_ERROR] = "an ICMP error is due",
		[PUNT_LOCAL] = "to the appliance itself",
		[PUNT_BFD] = "BFD to the appliance",
		[PUNT_IKE] = "IKE to the appliance",
		[PUNT_BGP] = "BGP to the appliance",
	};

	return class < PUNT_CLASS_COUNT ? text[class] : "unknown class";
}

/* One line per step; `name` is the rule, route, peering, SA or tunnel that decided. */
static void
step_text(const struct show *s, const struct trace_step *t, char *out, size_t n)
{
	const char *name = names_text(s->names, t->name), *iface = show_iface(s, t->iface);
	bool named = t->name != NAME_NONE;

	switch ((enum trace_verdict)t->verdict) {
	case TRACE_RECEIVED:
		snprintf(out, n, "received from %s", iface);
		break;
	case TRACE_OPENED:
		snprintf(out, n, "opened%s%s", named ? " by " : "", name);
		break;
	case TRACE_ADMITTED:
		snprintf(out, n, "source admitted on %s", iface);
		break;
	case TRACE_ALLOWED_BY_RULE:
		snprintf(out, n, "allowed by rule %s at %s", named ? name : "(none)", iface);
		break;
	case TRACE_ALLOWED_BY_FLOW:
		snprintf(out, n, "part of a known flow at %s%s%s", iface, named ? ", let in by " : "", name);
		break;
	case TRACE_NO_NSG:
		snprintf(out, n, "no network security group at %s", iface);
		break;
	case TRACE_ROUTED:
		snprintf(out, n, "routed%s%s%s%s", named ? " by " : "", name, iface[0] ? " to " : "", iface);
		break;
	case TRACE_NEIGHBOUR:
		snprintf(out, n, "next hop's MAC address known on %s", iface);
		break;
	case TRACE_SEALED:
		snprintf(out, n, "sealed%s%s, sequence %u", named ? " by " : "", name, t->value);
		break;
	case TRACE_FRAGMENTED:
		snprintf(out, n, "fragmented for MTU %u", t->value);
		break;
	case TRACE_SENT:
		snprintf(out, n, "sent to %s on port %s", iface,
			t->value < ports_count() ? port_name((uint16_t)t->value) : "?");
		break;
	case TRACE_PUNTED:
		snprintf(out, n, "handed to control: %s", punt_class_text(t->value));
		break;
	case TRACE_DROPPED:
		snprintf(out, n, "dropped, %s: %s%s%s", drop_name((enum drop_reason)t->value),
			drop_text((enum drop_reason)t->value), named ? ": " : "", name);
		break;
	default:
		snprintf(out, n, "verdict %u", t->verdict);
		break;
	}
}

static const char *
verdict_name(uint8_t verdict)
{
	static const char *const name[] = {
		[TRACE_RECEIVED] = "received",
		[TRACE_OPENED] = "opened",
		[TRACE_ADMITTED] = "admitted",
		[TRACE_ALLOWED_BY_RULE] = "allowed-by-rule",
		[TRACE_ALLOWED_BY_FLOW] = "allowed-by-flow",
		[TRACE_NO_NSG] = "no-nsg",
		[TRACE_ROUTED] = "routed",
		[TRACE_NEIGHBOUR] = "neighbour",
		[TRACE_SEALED] = "sealed",
		[TRACE_FRAGMENTED] = "fragmented",
		[TRACE_SENT] = "sent",
		[TRACE_PUNTED] = "punted",
		[TRACE_DROPPED] = "dropped",
	};

	return verdict < sizeof name / sizeof *name ? name[verdict] : "unknown";
}

static json_t *
step_json(const struct show *s, const struct trace_step *t)
{
	json_t *o = json_object();
	char text[400];

	step_text(s, t, text, sizeof text);
	json_object_set_new(o, "stage", json_string(stage_name((enum stage)t->stage)));
	json_object_set_new(o, "verdict", json_string(verdict_name(t->verdict)));
	json_object_set_new(o, "interface", json_string(show_iface(s, t->iface)));
	json_object_set_new(o, "name", name_json(s->names, t->name));
	if (t->verdict == TRACE_DROPPED)
		json_object_set_new(o, "dropReason", json_string(drop_name((enum drop_reason)t->value)));
	json_object_set_new(o, "text", json_string(text));
	return o;
}

json_t *
trace_json(const struct show *s, const struct trace_record *r)
{
	json_t *o = json_object(), *steps = json_array();
	char protocol[4];

	for (uint16_t i = 0; i < r->n_steps && i < TRACE_STEPS_MAX; i++)
		json_array_append_new(steps, step_json(s, &r->step[i]));
	json_object_set_new(
		o, "microseconds", json_integer((json_int_t)((double)r->tsc * 1e6 / (double)rte_get_tsc_hz())));
	json_object_set_new(o, "worker", json_integer(r->worker));
	json_object_set_new(o, "interface", json_string(show_iface(s, r->iface)));
	json_object_set_new(o, "protocol", json_string(protocol_text(r->protocol, protocol)));
	json_object_set_new(o, "source", address_json(&r->source));
	json_object_set_new(o, "sourcePort", json_integer(r->source_port));
	json_object_set_new(o, "destination", address_json(&r->destination));
	json_object_set_new(o, "destinationPort", json_integer(r->destination_port));
	json_object_set_new(o, "length", json_integer(r->length));
	json_object_set_new(o, "steps", steps);
	return o;
}
