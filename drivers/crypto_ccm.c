/* AES-CCM (RFC 4309) by IPsec-MB's jobs, which fill its lanes with the packets of a burst.
 *
 * Header and explicit IV are GCM's; the salt has three bytes, so the nonce is one shorter. The library has no 192 bits.
 */
#include "drivers/crypto_imb.h"

static void
nonce_give(struct gcm_given *g, const struct crypto_op *op)
{
	memcpy(g->nonce, &op->key->salt, CCM_SALT);
	memcpy(g->nonce + CCM_SALT, op->esp + ESP_HEADER, GCM_IV);
}

static void
job_make(IMB_JOB *job, const struct crypto_op *op, const struct gcm_given *g, uint8_t *tag,
	IMB_CIPHER_DIRECTION direction)
{
	const struct crypto_key *k = op->key;
	uint8_t *text = op->esp + ESP_HEADER + GCM_IV;

	job->src = job->dst = text;
	job->cipher_start_src_offset_in_bytes = job->hash_start_src_offset_in_bytes = 0;
	job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = op->length - ESP_HEADER - GCM_IV;
	job->iv = g->nonce;
	job->iv_len_in_bytes = CCM_SALT + GCM_IV;
	job->u.CCM.aad = g->aad;
	job->u.CCM.aad_len_in_bytes = k->esn ? sizeof(g->aad) : ESP_HEADER;
	job->enc_keys = job->dec_keys = k->chain.enc;
	job->key_len_in_bytes = k->cipher == CIPHER_CCM_128 ? IMB_KEY_128_BYTES : IMB_KEY_256_BYTES;
	job->auth_tag_output = tag;
	job->auth_tag_output_len_in_bytes = k->sizes.icv;
	job->cipher_mode = IMB_CIPHER_CCM;
	job->hash_alg = IMB_AUTH_AES_CCM;
	job->cipher_direction = direction;
	job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
}

static void
ccm(struct crypto_worker *w, struct crypto_op *op, uint32_t n, IMB_CIPHER_DIRECTION direction)
{
	uint32_t jobs = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (op[i].key->kind != KIND_CCM)
			continue;
		nonce_give(&w->given[i], &op[i]);
		job_make(&w->job[jobs++], &op[i], &w->given[i],
			direction == IMB_DIR_ENCRYPT ? op[i].esp + op[i].length : w->tag[i], direction);
	}
	crypto_jobs(w->manager, w->job, jobs);
}

void
crypto_ccm_seal(struct crypto_worker *w, struct crypto_op *op, uint32_t n)
{
	ccm(w, op, n, IMB_DIR_ENCRYPT);
}

void
crypto_ccm_open(struct crypto_worker *w, struct crypto_op *op, uint32_t n)
{
	ccm(w, op, n, IMB_DIR_DECRYPT);
	for (uint32_t i = 0; i < n; i++)
		if (op[i].key->kind == KIND_CCM)
			op[i].ok = crypto_icv_equal(w->tag[i], op[i].esp + op[i].length, op[i].key->sizes.icv);
}
