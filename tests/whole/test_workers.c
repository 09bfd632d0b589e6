/* Two workers on ports with one queue: software RSS spreads flows, both directions of a conversation
 * meet at one worker, and frames of either worker leave through the one transmit queue.
 */
#include "whole.h"

#include "dataplane/worker.h"

#include <rte_tcp.h>

#include <netinet/in.h>
#include <stdio.h>

static const char lab[] = "appliance:\n"
			  "  name: lab\n"
			  "  workers: 2\n"
			  "  ports: [{name: pa, driver: ring, queues: 1}, {name: pb, driver: ring, queues: 1}]\n"
			  "  attachments: [{subnet: v/a, port: pa}, {subnet: v/b, port: pb}]\n"
			  "virtualNetworks:\n"
			  "  - name: v\n"
			  "    addressSpace: {addressPrefixes: [10.0.0.0/16]}\n"
			  "    subnets:\n"
			  "      - {name: a, addressPrefix: 10.0.1.0/24}\n"
			  "      - {name: b, addressPrefix: 10.0.2.0/24, networkSecurityGroup: {id: quiet}}\n"
			  "networkSecurityGroups:\n"
			  "  - name: quiet\n"
			  "    securityRules:\n"
			  "      - {name: nothing-out, priority: 100, direction: Outbound, access: Deny, protocol: "
			  "'*', sourceAddressPrefix: '*', "
			  "sourcePortRange: '*', destinationAddressPrefix: '*', destinationPortRange: '*'}\n"
			  "networkInterfaces:\n"
			  "  - {name: ha, macAddress: 02-00-00-00-0a-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.0.1.10, subnet: v/a}]}\n"
			  "  - {name: hb, macAddress: 02-00-00-00-0b-10, ipConfigurations: [{name: c, "
			  "privateIPAddress: 10.0.2.10, subnet: v/b}]}\n";

static void
one_queue_feeds_two_workers(void **state)
{
	struct worker_stats s[2];

	whole_start(lab);
	for (uint16_t port = 1000; port < 1200; port++) {
		expect_forwarded(&(struct pkt){.port = "pa",
					 .src = "10.0.1.10",
					 .dst = "10.0.2.10",
					 .protocol = IPPROTO_TCP,
					 .sport = port,
					 .dport = 80,
					 .tcp_flags = RTE_TCP_SYN_FLAG},
			"pb");
		/* a reply passes only where its flow is known, whichever worker it comes to */
		expect_forwarded(&(struct pkt){.port = "pb",
					 .src = "10.0.2.10",
					 .dst = "10.0.1.10",
					 .protocol = IPPROTO_TCP,
					 .sport = 80,
					 .dport = port,
					 .tcp_flags = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG},
			"pa");
	}
	for (uint16_t i = 0; i < 2; i++) {
		dataplane_worker_stats(whole_dataplane(), i, &s[i]);
		assert_true(s[i].tx_packets > 100);
	}
	whole_stop();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(one_queue_feeds_two_workers, whole_teardown),
	};

	return WHOLE_RUN("workers", tests);
}
