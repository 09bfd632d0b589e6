/* Text to address and back, and the arithmetic of prefixes. See address.h; any thread. */
#include "config/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* inet_pton is strict already: no octal, no short forms, no zone. */
int
address_parse(const char *text, struct ip_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, out->b) == 1) {
		out->family = IP_V4;
		return 0;
	}
	memset(out->b, 0, sizeof(out->b));
	if (inet_pton(AF_INET6, text, out->b) == 1) {
		out->family = IP_V6;
		return 0;
	}
	memset(out->b, 0, sizeof(out->b));
	return -EINVAL;
}

uint8_t
address_bits(const struct ip_addr *a)
{
	return a->family == IP_V6 ? 128 : 32;
}

/* "0".."128" without sign, space or leading zero; -1 otherwise. */
static int
length_parse(const char *text)
{
	int n = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -1;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || p - text >= 3)
			return -1;
		n = n * 10 + (*p - '0');
	}
	return n;
}

/* Clear the bits behind the prefix; true when one of them was set. */
static bool
prefix_mask(struct ip_prefix *p)
{
	bool set = false;

	for (unsigned int bit = p->len; bit < address_bits(&p->addr); bit++) {
		uint8_t mask = 0x80 >> (bit & 7);

		set |= (p->addr.b[bit >> 3] & mask) != 0;
		p->addr.b[bit >> 3] &= (uint8_t)~mask;
	}
	return set;
}

int
prefix_parse(const char *text, struct ip_prefix *out)
{
	char addr[INET6_ADDRSTRLEN + 1];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	int len;

	memset(out, 0, sizeof(*out));
	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (address_parse(addr, &out->addr) < 0)
		return -EINVAL;

	len = slash ? length_parse(slash + 1) : address_bits(&out->addr);
	if (len < 0 || len > address_bits(&out->addr))
		return -EINVAL;
	out->len = (uint8_t)len;
	return prefix_mask(out) ? -ERANGE : 0;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Colons, the cloud's hyphens, or nothing between the bytes; never a mixture. */
int
mac_parse(const char *text, struct mac_addr *out)
{
	size_t n = strlen(text);
	size_t step = n == 17 ? 3 : 2;

	memset(out, 0, sizeof(*out));
	if (n != 17 && n != 12)
		return -EINVAL;
	if (n == 17 && text[2] != ':' && text[2] != '-')
		return -EINVAL;

	for (size_t i = 0; i < 6; i++) {
		const char *p = text + i * step;
		int high = hex_digit(p[0]), low = hex_digit(p[1]);

		if (high < 0 || low < 0 || (step == 3 && i < 5 && p[2] != text[2])) {
			memset(out, 0, sizeof(*out));
			return -EINVAL;
		}
		out->b[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

char *
address_text(const struct ip_addr *a, char *text, size_t size)
{
	char full[INET6_ADDRSTRLEN] = "none";

	if (a->family != IP_NONE)
		inet_ntop(a->family == IP_V6 ? AF_INET6 : AF_INET, a->b, full, sizeof(full));
	snprintf(text, size, "%s", full);
	return text;
}

char *
prefix_text(const struct ip_prefix *p, char *text, size_t size)
{
	char addr[INET6_ADDRSTRLEN];

	snprintf(text, size, "%s/%u", address_text(&p->addr, addr, sizeof(addr)), p->len);
	return text;
}

char *
mac_text(const struct mac_addr *m, char *text, size_t size)
{
	snprintf(text, size, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2], m->b[3], m->b[4], m->b[5]);
	return text;
}

bool
address_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool
prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && address_equal(&a->addr, &b->addr);
}

bool
prefix_has(const struct ip_prefix *p, const struct ip_addr *a)
{
	unsigned int whole = p->len >> 3, rest = p->len & 7;

	if (p->addr.family != a->family || memcmp(p->addr.b, a->b, whole) != 0)
		return false;
	return rest == 0 || ((p->addr.b[whole] ^ a->b[whole]) >> (8 - rest)) == 0;
}

bool
prefix_covers(const struct ip_prefix *p, const struct ip_prefix *a)
{
	return p->len <= a->len && prefix_has(p, &a->addr);
}

/* Prefixes are nested or apart, never half and half. */
bool
prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return prefix_covers(a, b) || prefix_covers(b, a);
}

int
prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int order;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	order = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));
	if (order != 0)
		return order;
	return (int)a->len - (int)b->len;
}

struct ip_addr
prefix_nth(const struct ip_prefix *p, uint64_t n)
{
	struct ip_addr a = p->addr;
	int last = address_bits(&a) / 8 - 1;
	unsigned int carry = 0;

	for (int i = last; i >= 0; i--) {
		unsigned int sum = a.b[i] + (unsigned int)(n & 0xff) + carry;

		a.b[i] = (uint8_t)sum;
		carry = sum >> 8;
		n >>= 8;
	}
	return a;
}

uint32_t
address_v4(const struct ip_addr *a)
{
	return (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 | (uint32_t)a->b[2] << 8 | a->b[3];
}

struct ip_addr
address_from_v4(uint32_t host_order)
{
	struct ip_addr a = {.family = IP_V4};

	a.b[0] = (uint8_t)(host_order >> 24);
	a.b[1] = (uint8_t)(host_order >> 16);
	a.b[2] = (uint8_t)(host_order >> 8);
	a.b[3] = (uint8_t)host_order;
	return a;
}
