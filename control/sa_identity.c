/* Fingerprints of SAs. A key leaves no more than a SHA-256 behind.
 *
 * Under a counter mode the fingerprint of one that sends is that of the cipher's key: who changes no more than the salt
 * or the integrity, or goes to another mode that counts alike, goes on with its numbers. (The salt alone would not
 * keep nonces apart: CCM puts a byte of its own before it.) One that receives has its salt in, for a new salt may
 * come with numbers from 1 on.
 */
#include "control/sa_identity.h"

#include "config/algorithm.h"
#include "drivers/crypto.h"

#include <string.h>

void
sa_fingerprint(const struct cfg_sa *c, struct sequence_record *r)
{
	struct {
		char what[16];
		uint8_t encryption, integrity, enc_len, auth_len;
		uint32_t spi;
		uint8_t enc[CFG_ENC_KEY_MAX], auth[CFG_AUTH_KEY_MAX];
	} text;
	const struct algorithm_encryption *e = &algorithm_encryption[c->encryption];

	memset(&text, 0, sizeof(text));
	memcpy(text.what, "isthmus sa 1", 12);
	text.encryption = (uint8_t)(e->like ? e->like : c->encryption);
	text.enc_len = c->outbound ? e->key : c->enc_key_len;
	text.spi = c->outbound ? 0 : c->spi;
	memcpy(text.enc, c->enc_key, text.enc_len);
	if (e->salt == 0) {
		text.integrity = (uint8_t)c->integrity;
		text.auth_len = c->auth_key_len;
		memcpy(text.auth, c->auth_key, c->auth_key_len);
	}

	memset(r, 0, sizeof(*r));
	r->outbound = c->outbound;
	r->number = c->outbound ? 1 : 0;
	crypto_sha256(&text, sizeof(text), r->fingerprint);
	explicit_bzero(&text, sizeof(text));
}

struct cfg_sa
sa_without_keys(const struct cfg_sa *c)
{
	struct cfg_sa scrubbed;

	/* byte by byte equal to another copy: padding too */
	memset(&scrubbed, 0, sizeof(scrubbed));
	scrubbed.outbound = c->outbound;
	scrubbed.resource = c->resource;
	scrubbed.spi = c->spi;
	scrubbed.encryption = c->encryption;
	scrubbed.integrity = c->integrity;
	if (algorithm_encryption[c->encryption].salt) { /* what the fingerprint does not tell apart */
		crypto_sha256(c->enc_key, c->enc_key_len, scrubbed.enc_key);
		crypto_sha256(c->auth_key, c->auth_key_len, scrubbed.auth_key);
	}
	scrubbed.esn = c->esn;
	scrubbed.replay_window = c->replay_window;
	scrubbed.udp_encap = c->udp_encap;
	scrubbed.udp_local_port = c->udp_local_port;
	scrubbed.udp_remote_port = c->udp_remote_port;
	scrubbed.keepalive_s = c->keepalive_s;
	scrubbed.life_bytes_soft = c->life_bytes_soft;
	scrubbed.life_bytes_hard = c->life_bytes_hard;
	scrubbed.life_packets_soft = c->life_packets_soft;
	scrubbed.life_packets_hard = c->life_packets_hard;
	return scrubbed;
}

void
world_wipe_keys(struct world *w)
{
	for (uint32_t i = 0; i < w->spec.n_sas; i++) {
		explicit_bzero(w->spec.sa[i].config.enc_key, CFG_ENC_KEY_MAX);
		explicit_bzero(w->spec.sa[i].config.auth_key, CFG_AUTH_KEY_MAX);
	}
	if (w->config != NULL)
		config_wipe_sa_keys(w->config);
}
