/* SPIs of our inbound SAs: an index in the low bits, chance above it.
 *
 * The view finds an SA at its SPI's low bits; indexes are kept dense so that each hits at once. The bits above differ
 * each time an index is given out, so that a late packet of a former SA finds nobody. Control thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ike_spis;

struct ike_spis *ike_spis_create(void);
void ike_spis_free(struct ike_spis *s);
/* 0: all are taken, or no memory. taken() tells of SPIs that were given by hand. */
uint32_t ike_spi_take(struct ike_spis *s, uint64_t now_ns, bool (*taken)(void *context, uint32_t spi), void *context);
/* An SA of charon's that was replayed after a restart has it already. False: it is somebody's. */
bool ike_spi_claim(struct ike_spis *s, uint32_t spi);
/* Reserved by ike_spi_take and now an SA's: it stays until given back. False: it is not ours, an SA's already, or too
 * late. */
bool ike_spi_use(struct ike_spis *s, uint32_t spi);
void ike_spi_give(struct ike_spis *s, uint32_t spi);
/* Gives it back if it was reserved only: no SA has it. */
void ike_spi_cancel(struct ike_spis *s, uint32_t spi);
/* Gives back what was reserved and never used. */
void ike_spis_expire(struct ike_spis *s, uint64_t now_ns);
