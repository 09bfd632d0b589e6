/* What every port on a DPDK driver shares: configuring, queues, link, counters.
 *
 * A NIC must obey: its MTU, MAC and filters are set or the port is refused. A virtual device has
 * nobody behind it who filters by MAC or cuts by length, so there port.c checks lengths and the
 * MAC is only what we answer to.
 */
#include "drivers/log.h"
#include "drivers/port_kind.h"

#include <rte_ethdev.h>

#include <errno.h>
#include <string.h>

/* Toeplitz with 0x6d5a repeated gives both directions of a flow one hash. */
#define RSS_KEY_MAX 64
#define RSS_WANTED                                                                                                     \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |      \
		RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 |                            \
		RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_OTHER |         \
		RTE_ETH_RSS_ESP)

static uint8_t rss_key[RSS_KEY_MAX];

static bool
rss_is_possible(const struct rte_eth_dev_info *info)
{
	uint64_t least = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;

	return (info->flow_type_rss_offloads & least) == least && info->hash_key_size <= RSS_KEY_MAX;
}

static void
rss_configure(struct rte_eth_conf *conf, const struct rte_eth_dev_info *info)
{
	for (int i = 0; i < RSS_KEY_MAX; i++)
		rss_key[i] = i % 2 ? 0x5a : 0x6d;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_key = rss_key;
	conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size ? info->hash_key_size : 40;
	conf->rx_adv_conf.rss_conf.rss_hf = RSS_WANTED & info->flow_type_rss_offloads;
}

/* Queues that work together: without RSS a NIC puts everything into the first. */
static void
queues_choose(struct port *p, const struct port_ethdev_wish *wish, const struct rte_eth_dev_info *info)
{
	p->caps.rx_queues = RTE_MIN(wish->rx_queues, info->max_rx_queues);
	p->caps.tx_queues = RTE_MIN(wish->tx_queues, info->max_tx_queues);
	if (wish->nic && p->caps.rx_queues > 1 && !rss_is_possible(info))
		p->caps.rx_queues = 1;
	p->caps.rss = p->workers == 1 || (wish->nic && p->caps.rx_queues == p->workers);
}

static void
offloads_choose(struct port *p, struct rte_eth_conf *conf, const struct rte_eth_dev_info *info)
{
	conf->rxmode.offloads = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM & info->rx_offload_capa;
	p->caps.rx_ip_checksum = conf->rxmode.offloads != 0;
}

static int
device_configure(
	struct port *p, const struct port_ethdev_wish *wish, const struct rte_eth_dev_info *info, char *error, size_t n)
{
	struct rte_eth_conf conf = {0};
	int r;

	if (wish->nic) {
		if (p->caps.mtu < info->min_mtu || p->caps.mtu > info->max_mtu) {
			snprintf(error, n, "mtu %u: the NIC takes %u to %u", p->caps.mtu, info->min_mtu, info->max_mtu);
			return -ERANGE;
		}
		conf.rxmode.mtu = p->caps.mtu;
		offloads_choose(p, &conf, info);
		if (p->caps.rx_queues > 1)
			rss_configure(&conf, info);
	}

	r = rte_eth_dev_configure(p->ethdev, p->caps.rx_queues, p->caps.tx_queues, &conf);
	if (r != 0)
		snprintf(error, n, "the driver refuses %u rx and %u tx queues, mtu %u: %s", p->caps.rx_queues,
			p->caps.tx_queues, p->caps.mtu, strerror(-r));
	return r;
}

static int
device_queues_setup(struct port *p, const struct rte_eth_dev_info *info, char *error, size_t n)
{
	uint16_t rx = p->descriptors, tx = p->descriptors;
	int r = rte_eth_dev_adjust_nb_rx_tx_desc(p->ethdev, &rx, &tx);

	for (uint16_t i = 0; r == 0 && i < p->caps.rx_queues; i++)
		r = rte_eth_rx_queue_setup(p->ethdev, i, rx, SOCKET_ID_ANY, &info->default_rxconf, p->pool);
	for (uint16_t i = 0; r == 0 && i < p->caps.tx_queues; i++)
		r = rte_eth_tx_queue_setup(p->ethdev, i, tx, SOCKET_ID_ANY, &info->default_txconf);
	if (r != 0)
		snprintf(error, n, "queues of %u descriptors: %s", p->descriptors, strerror(-r));
	return r;
}

/* A NIC's own address stands unless the configuration names another. */
static int
nic_mac_set(struct port *p, const struct cfg_port *c, char *error, size_t n)
{
	struct rte_ether_addr mac;
	int r;

	if (!c->has_mac) {
		r = rte_eth_macaddr_get(p->ethdev, &mac);
		memcpy(p->caps.mac.b, mac.addr_bytes, sizeof p->caps.mac.b);
		return r;
	}
	memcpy(mac.addr_bytes, c->mac.b, sizeof mac.addr_bytes);
	r = rte_eth_dev_default_mac_addr_set(p->ethdev, &mac);
	if (r != 0)
		snprintf(error, n, "the NIC does not take the configured mac: %s", strerror(-r));
	return r;
}

int
port_ethdev_open(struct port *p, const struct cfg_port *c, const struct port_ethdev_wish *wish, char *error, size_t n)
{
	struct rte_eth_dev_info info;
	int r = rte_eth_dev_info_get(p->ethdev, &info);

	if (r != 0)
		return r;
	queues_choose(p, wish, &info);
	r = device_configure(p, wish, &info, error, n);
	if (r == 0)
		r = device_queues_setup(p, &info, error, n);
	if (r == 0 && wish->nic)
		r = nic_mac_set(p, c, error, n);
	return r;
}

int
port_ethdev_start(struct port *p, char *error, size_t n)
{
	int r = rte_eth_dev_start(p->ethdev);

	if (r != 0)
		snprintf(error, n, "the driver does not start: %s", strerror(-r));
	return r;
}

void
port_ethdev_stop(struct port *p)
{
	int r = rte_eth_dev_stop(p->ethdev);

	if (r != 0)
		log_warning("port", "%s: the driver does not stop: %s", p->name, strerror(-r));
}

bool
port_ethdev_link(const struct port *p, uint32_t *mbps)
{
	struct rte_eth_link link = {0};

	if (rte_eth_link_get_nowait(p->ethdev, &link) != 0 || link.link_status != RTE_ETH_LINK_UP)
		return false;
	*mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed;
	return true;
}

/* Drivers count received packets themselves, but port.c knows what it dropped of them: the
 * driver adds what never reached us. */
void
port_ethdev_stats(const struct port *p, struct port_stats *sum)
{
	struct rte_eth_stats s;

	if (rte_eth_stats_get(p->ethdev, &s) != 0)
		return;
	sum->rx_missed += s.imissed;
	sum->rx_errors += s.ierrors;
	sum->tx_errors += s.oerrors;
	sum->rx_nombuf += s.rx_nombuf;
	if (!port_fast[p->id].rx) {
		sum->rx_packets += s.ipackets;
		sum->rx_bytes += s.ibytes;
	}
}

uint16_t
port_ethdev_receive(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rte_eth_rx_burst(q->ethdev, q->rx_index, pkts, n);
}

uint16_t
port_ethdev_send(struct port_queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	return rte_eth_tx_burst(q->ethdev, q->tx_index, pkts, n);
}
