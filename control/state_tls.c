#include "control/state_tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define IDENTITY "isthmus-state"
#define KEY_MAX 256

struct state_tls {
	SSL_CTX *context;
	uint8_t key[KEY_MAX];
	size_t n;
};

struct state_session {
	SSL *ssl;
	int fd;
	bool wants_write; /* TLS itself has something to say */
};

/* ---- the key ---------------------------------------------------------------------------- */

/* TLS_AES_256_GCM_SHA384: an external key is bound to the hash of a suite. */
static SSL_SESSION *
session_of_key(SSL *ssl)
{
	static const uint8_t suite[2] = {0x13, 0x02};
	const struct state_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION *s = SSL_SESSION_new();

	if (s && SSL_SESSION_set1_master_key(s, t->key, t->n) == 1 &&
		SSL_SESSION_set_cipher(s, SSL_CIPHER_find(ssl, suite)) == 1 &&
		SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1)
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int
client_uses(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len, SSL_SESSION **session)
{
	*session = NULL;
	*id = (const unsigned char *)IDENTITY;
	*id_len = strlen(IDENTITY);
	if (md && EVP_MD_get_type(md) != NID_sha384)
		return 1;
	*session = session_of_key(ssl);
	return *session != NULL;
}

static int
server_finds(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **session)
{
	*session = NULL;
	if (id_len != strlen(IDENTITY) || memcmp(id, IDENTITY, id_len) != 0)
		return 1;
	*session = session_of_key(ssl);
	return *session != NULL;
}

/* Without certificates: whoever has no key ends the handshake. Tickets would be a second key. */
struct state_tls *
state_tls_create(const void *key, size_t n)
{
	struct state_tls *t = calloc(1, sizeof(*t));

	if (!t || n > KEY_MAX)
		goto failed;
	memcpy(t->key, key, n);
	t->n = n;
	t->context = SSL_CTX_new(TLS_method());
	if (!t->context || SSL_CTX_set_min_proto_version(t->context, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_ciphersuites(t->context, "TLS_AES_256_GCM_SHA384") != 1 ||
		SSL_CTX_set_num_tickets(t->context, 0) != 1)
		goto failed;
	SSL_CTX_set_app_data(t->context, t);
	SSL_CTX_set_psk_use_session_callback(t->context, client_uses);
	SSL_CTX_set_psk_find_session_callback(t->context, server_finds);
	SSL_CTX_set_session_cache_mode(t->context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(t->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return t;
failed:
	state_tls_free(t);
	return NULL;
}

void
state_tls_free(struct state_tls *t)
{
	if (!t)
		return;
	SSL_CTX_free(t->context);
	explicit_bzero(t->key, sizeof(t->key));
	free(t);
}

/* ---- a connection ----------------------------------------------------------------------- */

struct state_session *
state_session_open(struct state_tls *t, int fd, bool client)
{
	struct state_session *s = calloc(1, sizeof(*s));

	if (s)
		s->ssl = SSL_new(t->context);
	if (!s || !s->ssl || SSL_set_fd(s->ssl, fd) != 1) {
		if (s)
			SSL_free(s->ssl);
		free(s);
		close(fd);
		return NULL;
	}
	s->fd = fd;
	if (client)
		SSL_set_connect_state(s->ssl);
	else
		SSL_set_accept_state(s->ssl);
	return s;
}

void
state_session_close(struct state_session *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	close(s->fd);
	free(s);
}

int
state_session_fd(const struct state_session *s)
{
	return s->fd;
}

/* What a call that returned r <= 0 means. The queue of errors is the thread's: others find it empty. */
static int
outcome(struct state_session *s, int r)
{
	int error = SSL_get_error(s->ssl, r);

	ERR_clear_error();
	s->wants_write = error == SSL_ERROR_WANT_WRITE;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return 0;
	return error == SSL_ERROR_SSL ? -EACCES : -ECONNRESET;
}

int
state_session_handshake(struct state_session *s)
{
	int r = SSL_do_handshake(s->ssl);

	if (r != 1)
		return outcome(s, r);
	s->wants_write = false;
	/* by the key, and by nothing else */
	return SSL_session_reused(s->ssl) == 1 ? 1 : -EACCES;
}

ssize_t
state_session_read(struct state_session *s, void *buffer, size_t n)
{
	int r = SSL_read(s->ssl, buffer, (int)n);

	if (r > 0)
		return r;
	return outcome(s, r) == 0 ? 0 : -ECONNRESET;
}

ssize_t
state_session_write(struct state_session *s, const void *buffer, size_t n)
{
	int r = SSL_write(s->ssl, buffer, (int)n);

	if (r > 0)
		return r;
	return outcome(s, r) == 0 ? 0 : -ECONNRESET;
}

short
state_session_events(const struct state_session *s, bool writing)
{
	return (short)(POLLIN | (writing || s->wants_write ? POLLOUT : 0));
}
