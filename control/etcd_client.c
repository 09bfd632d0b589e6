/* libcurl's sockets and its timer stand in an epoll of their own, which is one descriptor of the loop's: curl closes
 * its sockets by itself, and the loop would have closed them, too.
 */
#include "control/etcd_client.h"

#include "drivers/clock.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define REPLY_MAX 65536
#define ERROR_SIZE 256
#define MILLI 1000000ull

struct etcd_client {
	struct loop *loop;
	const struct cfg_lease *lease;
	etcd_answered *answered;
	void *context;
	long timeout_ms;
	uint32_t endpoint; /* asked now */

	struct loop_source source; /* the inner epoll */
	int epoll, timer;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	bool busy;
	char *body;
	size_t n;
	char reply[REPLY_MAX], curl_error[CURL_ERROR_SIZE];
};

/* ---- libcurl's sockets and timer ------------------------------------------------------- */

static int
socket_changed(CURL *easy, curl_socket_t s, int what, void *context, void *known)
{
	struct etcd_client *c = context;
	struct epoll_event e = {.data.fd = s};

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		epoll_ctl(c->epoll, EPOLL_CTL_DEL, s, &e);
		return 0;
	}
	e.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
	epoll_ctl(c->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s, &e);
	curl_multi_assign(c->multi, s, c);
	return 0;
}

static int
timer_changed(CURLM *multi, long ms, void *context)
{
	const struct etcd_client *c = context;
	struct itimerspec t = {0};

	(void)multi;
	if (ms >= 0) {
		t.it_value.tv_sec = ms / 1000;
		t.it_value.tv_nsec = ms > 0 ? ms % 1000 * 1000000 : 1;
	}
	timerfd_settime(c->timer, 0, &t, NULL);
	return 0;
}

/* ---- an answer ------------------------------------------------------------------------- */

static size_t
reply_take(char *data, size_t size, size_t n, void *context)
{
	struct etcd_client *c = context;

	size *= n;
	if (size >= REPLY_MAX - c->n)
		return 0;
	memcpy(c->reply + c->n, data, size);
	c->n += size;
	return size;
}

static void
forget(struct etcd_client *c)
{
	if (c->busy)
		curl_multi_remove_handle(c->multi, c->easy);
	c->busy = false;
	free(c->body);
	c->body = NULL;
}

/* What etcd says of an error; streams wrap it once more. */
static const char *
message_of(const json_t *reply)
{
	const json_t *inner = json_object_get(reply, "error");
	const char *text = json_string_value(json_object_get(json_is_object(inner) ? inner : reply, "message"));

	return text ? text : json_is_string(inner) ? json_string_value(inner) : NULL;
}

static void
finish(struct etcd_client *c, CURLcode result)
{
	const char *endpoint = c->lease->endpoints.s[c->endpoint], *why = NULL;
	json_t *reply = NULL;
	char error[ERROR_SIZE];
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK)
		reply = json_loadb(c->reply, c->n, 0, NULL);
	else
		why = c->curl_error[0] ? c->curl_error : curl_easy_strerror(result);
	if (!why && reply)
		why = message_of(reply);
	if (!why && (status != 200 || !json_is_object(reply)))
		why = "no answer of etcd's";
	forget(c);
	if (!why) {
		c->answered(c->context, reply, NULL);
	} else {
		snprintf(error, sizeof(error), "%.80s: %.160s", endpoint, why);
		c->endpoint = (c->endpoint + 1) % c->lease->endpoints.n;
		c->answered(c->context, NULL, error);
	}
	json_decref(reply);
}

static void
serve(struct etcd_client *c, int timeout_ms)
{
	struct epoll_event event[8];
	int n = epoll_wait(c->epoll, event, 8, timeout_ms), running, left;
	CURLMsg *m;

	for (int i = 0; i < n; i++) {
		uint64_t ticks;

		if (event[i].data.fd == c->timer) {
			if (read(c->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
				curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
			continue;
		}
		curl_multi_socket_action(c->multi, event[i].data.fd,
			(event[i].events & (EPOLLIN | EPOLLHUP) ? CURL_CSELECT_IN : 0) |
				(event[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				(event[i].events & EPOLLERR ? CURL_CSELECT_ERR : 0),
			&running);
	}
	while ((m = curl_multi_info_read(c->multi, &left)) != NULL)
		if (m->msg == CURLMSG_DONE && c->busy)
			finish(c, m->data.result);
}

static void
ready(void *context, uint32_t events)
{
	(void)events;
	serve(context, 0);
}

/* ---- a question ------------------------------------------------------------------------ */

static void
options_set(struct etcd_client *c, const char *url)
{
	const struct cfg_lease *l = c->lease;

	curl_easy_reset(c->easy);
	curl_easy_setopt(c->easy, CURLOPT_URL, url);
	curl_easy_setopt(c->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(c->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, c->timeout_ms);
	curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, c->body);
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, reply_take);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, c->curl_error);
	if (l->ca_file)
		curl_easy_setopt(c->easy, CURLOPT_CAINFO, l->ca_file);
	if (l->certificate) {
		curl_easy_setopt(c->easy, CURLOPT_SSLCERT, l->certificate);
		curl_easy_setopt(c->easy, CURLOPT_SSLKEY, l->key_file);
	}
}

void
etcd_client_post(struct etcd_client *c, const char *path, json_t *body)
{
	char url[512];

	forget(c);
	c->body = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	snprintf(url, sizeof(url), "%.300s%.100s", c->lease->endpoints.s[c->endpoint], path);
	c->n = 0;
	c->curl_error[0] = '\0';
	c->busy = c->body != NULL;
	if (!c->busy)
		return;
	options_set(c, url);
	curl_multi_add_handle(c->multi, c->easy);
}

void
etcd_client_finish(struct etcd_client *c, int timeout_ms)
{
	uint64_t end = clock_boot_ns() + (uint64_t)timeout_ms * MILLI, now = clock_boot_ns();

	for (; c->busy && now < end; now = clock_boot_ns())
		serve(c, (int)((end - now) / MILLI) + 1);
}

/* ---- open and close -------------------------------------------------------------------- */

static int
curl_open(struct etcd_client *c)
{
	struct epoll_event e = {.events = EPOLLIN};

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	e.data.fd = c->timer;
	if (c->epoll < 0 || c->timer < 0 || epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->timer, &e) != 0)
		return -errno;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return -ENOMEM;
	c->multi = curl_multi_init();
	c->easy = curl_easy_init();
	c->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (!c->multi || !c->easy || !c->headers)
		return -ENOMEM;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	c->source = (struct loop_source){c->epoll, ready, c};
	return loop_add(c->loop, &c->source, EPOLLIN);
}

struct etcd_client *
etcd_client_open(struct loop *loop, const struct cfg_lease *lease, long timeout_ms, etcd_answered *answered,
	void *context, char *error, size_t n)
{
	struct etcd_client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return NULL;
	*c = (struct etcd_client){.loop = loop,
		.lease = lease,
		.answered = answered,
		.context = context,
		.timeout_ms = timeout_ms,
		.source.fd = -1,
		.epoll = -1,
		.timer = -1};
	r = curl_open(c);
	if (r != 0) {
		snprintf(error, n, "libcurl: %s", strerror(-r));
		etcd_client_close(c);
		return NULL;
	}
	return c;
}

/* The inner epoll goes last: curl takes its sockets out of it. */
void
etcd_client_close(struct etcd_client *c)
{
	forget(c);
	if (c->easy)
		curl_easy_cleanup(c->easy);
	if (c->multi)
		curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->headers);
	if (c->source.fd >= 0)
		loop_remove(c->loop, &c->source);
	else if (c->epoll >= 0)
		close(c->epoll);
	if (c->timer >= 0)
		close(c->timer);
	free(c);
}
