/* TCP MSS clamping (RFC 9293 section 3.7.1; the checksum by RFC 1624). */
#include "dataplane/mss.h"
#include "dataplane/checksum.h"

#include <netinet/in.h>
#include <string.h>

#define TCP_HEADER 20
#define TCP_CHECKSUM 16
#define TCP_SYN 0x02

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2 };

/* The MSS value within the options, NULL: none, or options that make no sense. */
static uint8_t *
find_mss(uint8_t *at, const uint8_t *end)
{
	while (at < end && *at != OPTION_END) {
		if (*at == OPTION_NOP) {
			at++;
			continue;
		}
		if (end - at < 2 || at[1] < 2 || at[1] > end - at)
			return NULL;
		if (*at == OPTION_MSS)
			return at[1] == 4 ? at + 2 : NULL;
		at += at[1];
	}
	return NULL;
}

/* The value may stand at an odd offset: then its bytes belong to two words of the sum, swapped. */
static void
replace(uint8_t *tcp, uint8_t *value, uint16_t mss)
{
	uint16_t old, new = rte_cpu_to_be_16(mss), sum;
	bool odd = (value - tcp) & 1;

	memcpy(&old, value, 2);
	memcpy(value, &new, 2);
	memcpy(&sum, tcp + TCP_CHECKSUM, 2);
	sum = odd ? checksum_update(sum, rte_bswap16(old), rte_bswap16(new)) : checksum_update(sum, old, new);
	memcpy(tcp + TCP_CHECKSUM, &sum, 2);
}

bool
mss_clamp(struct packet *p, uint16_t mss)
{
	uint8_t *tcp = p->l3 + p->l4_off, *value;
	uint16_t header;

	if (p->protocol != IPPROTO_TCP || !(p->tcp_flags & TCP_SYN) || (p->flags & PKT_LATER_FRAGMENT))
		return false;
	if (p->l3_len < p->l4_off + TCP_HEADER)
		return false;
	header = (tcp[12] >> 4) * 4;
	if (header < TCP_HEADER || p->l3_len < p->l4_off + header)
		return false;

	value = find_mss(tcp + TCP_HEADER, tcp + header);
	if (!value || (value[0] << 8 | value[1]) <= mss)
		return false;
	replace(tcp, value, mss);
	return true;
}
