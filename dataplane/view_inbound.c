/* The inbound SAs of a view, the table that finds them by their SPI, and the UDP ports where they are looked for.
 * Builder thread and control.
 */
#include "dataplane/sa.h"
#include "dataplane/view_build.h"

#include <rte_malloc.h>

#include <errno.h>

/* A check makes no SAs. */
static bool
listens(const struct sa_spec *s)
{
	return !s->config.outbound && s->sa != NULL;
}

static void
inbound_fill(struct build *b, struct inbound *in, const struct sa_spec *s)
{
	const struct tunnel *t = &b->view->tunnel[s->tunnel];
	struct endpoint e = build_endpoint(b, s);

	*in = (struct inbound){.gateway = t->gateway,
		.tunnel = s->tunnel,
		.meter_cost = t->meter_cost,
		.local = e.local,
		.remote = e.remote,
		.selector = t->policy,
		.n_selectors = t->n_policies};
	if (s->n_selectors)
		in->selector = build_keep_selectors(b, s->selector, s->n_selectors, &in->n_selectors);
}

static int
inbounds(struct build *b)
{
	struct inbound *in = build_array(b, b->sas.n_sas, sizeof(*in));

	b->view->inbound = in;
	if (in == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < b->sas.n_sas; i++)
		if (listens(&b->sas.sa[i]))
			inbound_fill(b, in++, &b->sas.sa[i]);
	return 0;
}

/* Our own SPIs carry their index in the low bits and hit at once; others probe. */
static int
spi_place(struct sa_slot *slot, uint32_t mask, const struct sa_spec *s, uint32_t inbound)
{
	uint32_t at = s->config.spi & mask;

	for (int probe = 0; probe < SPI_PROBES_MAX; probe++, at = (at + 1) & mask) {
		if (slot[at].spi == s->config.spi)
			return -EEXIST;
		if (slot[at].spi == 0) {
			slot[at] = (struct sa_slot){s->config.spi, inbound, s->sa};
			return 0;
		}
	}
	return -ENOSPC;
}

/* 0 on success, -ENOSPC: a larger table is needed, else the error is told. */
static int
spis_of_size(struct build *b, uint32_t size)
{
	struct sa_slot *slot = build_array(b, size, sizeof(*slot));
	int rc = slot ? 0 : -ENOMEM;
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->sas.n_sas && rc == 0; i++)
		if (listens(&b->sas.sa[i]))
			rc = spi_place(slot, size - 1, &b->sas.sa[i], n++);
	if (rc == -EEXIST)
		build_fail(b, "two inbound SAs have the same SPI");
	if (rc) {
		rte_free(slot);
		return rc;
	}
	b->view->spi = slot;
	b->view->spi_mask = size - 1;
	b->view->n_sas = b->sas.n_sas;
	return 0;
}

int
build_spis(struct build *b)
{
	uint32_t size = rte_align32pow2(b->sas.n_sas * 2 + 64);
	int rc = inbounds(b);

	if (rc == 0)
		rc = -ENOSPC;
	for (int doubling = 0; doubling < 6 && rc == -ENOSPC; doubling++, size *= 2)
		rc = spis_of_size(b, size);
	if (rc == -ENOSPC)
		build_fail(b, "the SPIs of the inbound SAs collide too often");
	return rc;
}

int
build_encap_ports(struct build *b)
{
	if (esp_ports_build(b->view, &b->sas) == 0)
		return 0;
	return build_fail(b, "more than %d UDP ports for ESP beside %d", ENCAP_PORTS_MAX, ESP_PORT);
}
