/* sa list: every security association of the running world, its use and its age. Never its keys. */
#include "control/show_running.h"

#include "control/daemon.h"
#include "drivers/clock.h"

#include <stdio.h>

static const char *
encryption_name(enum cfg_encryption e)
{
	switch (e) {
	case ENC_NULL:
		return "null";
	case ENC_AES_CBC_128:
		return "aes-cbc-128";
	case ENC_AES_CBC_256:
		return "aes-cbc-256";
	case ENC_AES_GCM_128:
		return "aes-gcm-128";
	case ENC_AES_GCM_192:
		return "aes-gcm-192";
	case ENC_AES_GCM_256:
		return "aes-gcm-256";
	case ENC_AES_GMAC_128:
		return "aes-gmac-128";
	case ENC_AES_GMAC_192:
		return "aes-gmac-192";
	case ENC_AES_GMAC_256:
		return "aes-gmac-256";
	}
	return "unknown";
}

static const char *
integrity_name(enum cfg_integrity i)
{
	switch (i) {
	case INTEG_NONE:
		return "none";
	case INTEG_SHA1_96:
		return "sha1-96";
	case INTEG_SHA256_128:
		return "sha256-128";
	case INTEG_SHA384_192:
		return "sha384-192";
	case INTEG_SHA512_256:
		return "sha512-256";
	}
	return "unknown";
}

static const char *
state_name(const struct sa_counters *c)
{
	if (c->exhausted)
		return "exhausted";
	if (c->hard_expired)
		return "expired";
	return c->soft_expired ? "expiring" : "usable";
}

static json_t *
counters_json(const struct sa_counters *c)
{
	json_t *o = json_object();

	json_object_set_new(o, "packets", json_integer((json_int_t)c->packets));
	json_object_set_new(o, "bytes", json_integer((json_int_t)c->bytes));
	json_object_set_new(o, "drops", json_integer((json_int_t)c->drops));
	json_object_set_new(o, "sequence", json_integer((json_int_t)c->sequence));
	json_object_set_new(o, "reservedBelow", json_integer((json_int_t)c->reserved));
	json_object_set_new(o, "idleSeconds",
		c->last_used_ns ? json_integer((json_int_t)((clock_boot_ns() - c->last_used_ns) / 1000000000))
				: json_null());
	return o;
}

static json_t *
sa_json(const struct daemon *d, const struct sa_spec *s)
{
	const struct view_spec *spec = &d->world->spec;
	const struct tunnel_spec *t = s->tunnel < spec->n_tunnels ? &spec->tunnel[s->tunnel] : NULL;
	struct sa_counters c = {0};
	json_t *o = json_object();
	char spi[16];

	if (s->sa)
		sa_counters_read(s->sa, &c);
	snprintf(spi, sizeof spi, "0x%08x", s->config.spi);
	json_object_set_new(o, "name", name_json(d->names, s->name));
	json_object_set_new(o, "tunnel", t ? name_json(d->names, t->name) : json_null());
	json_object_set_new(o, "direction", json_string(s->config.outbound ? "out" : "in"));
	json_object_set_new(o, "resource", json_integer(s->config.resource));
	json_object_set_new(o, "spi", json_string(spi));
	json_object_set_new(o, "local", t ? address_json(&t->local) : json_null());
	json_object_set_new(o, "remote", t ? address_json(&t->remote) : json_null());
	json_object_set_new(o, "encryption", json_string(encryption_name(s->config.encryption)));
	json_object_set_new(o, "integrity", json_string(integrity_name(s->config.integrity)));
	json_object_set_new(o, "esn", json_boolean(s->config.esn));
	json_object_set_new(o, "replayWindow", json_integer(s->config.replay_window));
	json_object_set_new(o, "udpEncapsulation", json_boolean(s->config.udp_encap));
	json_object_set_new(o, "state", json_string(s->sa ? state_name(&c) : "missing"));
	json_object_set_new(o, "counters", counters_json(&c));
	return o;
}

json_t *
show_sas(struct daemon *d, const struct request *r, struct failure *f)
{
	const struct view_spec *spec = &d->world->spec;
	json_t *list = json_array();

	(void)r;
	(void)f;
	for (uint32_t i = 0; i < spec->n_sas; i++)
		json_array_append_new(list, sa_json(d, &spec->sa[i]));
	return list;
}
