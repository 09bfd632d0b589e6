/* Our ESP engine on a leash: an SA and packets come in as lines of hex, what became of them goes out.
 *
 *   sa ENCRYPTION INTEGRITY KEY AUTH-KEY SPI ESN UDP LOCAL REMOTE FIRST WINDOW
 *   seal INNER      -> sealed OUTER | dropped REASON
 *   open OUTER      -> opened INNER | dropped REASON | left
 *
 * "-" is an empty key. Every line has one answer; sa answers ok. A parent drives it (test_reference.py).
 */
#include "config/algorithm.h"
#include "tests/unit/esp_world.h"

#include <stdio.h>

#define LINE_MAX_SIZE 16384

static uint32_t
word_index(const char *const *words, const char *word)
{
	uint32_t i = 0;

	while (words[i] && strcmp(words[i], word) != 0)
		i++;
	return i;
}

static size_t
unhex(uint8_t *to, size_t room, const char *text)
{
	size_t n = 0;
	unsigned byte;

	if (text[0] == '-')
		return 0;
	for (; n < room && sscanf(text + 2 * n, "%2x", &byte) == 1; n++)
		to[n] = (uint8_t)byte;
	return n;
}

static void
answer(const char *what, const struct packet *p)
{
	printf("%s ", what);
	for (uint16_t i = 0; i < p->m->data_len; i++)
		printf("%02x", rte_pktmbuf_mtod(p->m, const uint8_t *)[i]);
	putchar('\n');
}

static const char *
last_drop(void)
{
	for (int r = 0; r < DROP_REASON_COUNT; r++) {
		if (esp.w->drops[r]) {
			memset(esp.w->drops, 0, sizeof(esp.w->drops));
			return drop_name((enum drop_reason)r);
		}
	}
	return "nothing";
}

static bool
sa_line(const char *line)
{
	char enc[32], integ[32], key[128], auth[160], local[64], remote[64];
	struct cfg_sa c = {0};
	unsigned spi, esn, udp, window;
	unsigned long long first;

	if (sscanf(line, "sa %31s %31s %127s %159s %x %u %u %63s %63s %llu %u", enc, integ, key, auth, &spi, &esn, &udp,
		    local, remote, &first, &window) != 11)
		return false;
	c.encryption = word_index(algorithm_encryption_words, enc);
	c.integrity = word_index(algorithm_integrity_words, integ);
	c.enc_key_len = (uint8_t)unhex(c.enc_key, sizeof(c.enc_key), key);
	c.auth_key_len = (uint8_t)unhex(c.auth_key, sizeof(c.auth_key), auth);
	c.spi = spi;
	c.esn = esn;
	c.udp_encap = udp;
	c.replay_window = (uint16_t)window;
	esp_world_close();
	return esp_world_open_at(&c, local, remote, first, UINT64_MAX) == 0;
}

static bool
packet_line(const char *line, bool sealing)
{
	static uint8_t bytes[LINE_MAX_SIZE / 2];
	size_t n = unhex(bytes, sizeof(bytes), line + 5);
	struct packet *p;

	esp_burst_clear();
	if (!esp.out ||
		!esp_burst_add(bytes, (uint16_t)n, sealing ? ESP_GATEWAY : ESP_UPLINK, sealing ? 0 : TUNNEL_NONE))
		return false;
	if (sealing)
		esp_world_seal();
	else
		esp_open(esp.w, &esp.burst);
	if (esp.burst.n == 0) {
		printf("dropped %s\n", last_drop());
		return true;
	}
	p = esp.burst.pkt[0];
	if (sealing)
		answer("sealed", p);
	else if (p->flags & PKT_OPENED)
		answer("opened", p);
	else
		puts("left");
	esp_burst_free();
	return true;
}

int
main(void)
{
	static char line[LINE_MAX_SIZE];

	if (test_eal_start("esp-tool") || esp_world_start())
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		bool fine = false;

		if (strncmp(line, "sa ", 3) == 0) {
			fine = sa_line(line);
			if (fine)
				puts("ok");
		} else if (strncmp(line, "seal ", 5) == 0) {
			fine = packet_line(line, true);
		} else if (strncmp(line, "open ", 5) == 0) {
			fine = packet_line(line, false);
		}
		if (!fine)
			puts("error");
		fflush(stdout);
	}
	esp_world_close();
	esp_world_stop();
	test_eal_stop();
	return 0;
}
