/* Every drop has a name: one line makes the enum, the counter and the text.
 *
 * X(symbol, "name for tools and JSON", "what the operator reads")
 */
#pragma once

#define DROP_REASONS(X)                                                                                                \
	/* ingress */                                                                                                  \
	X(NO_INTERFACE, "no-interface", "no subnet or uplink is attached to this port and VLAN")                       \
	X(NOT_OUR_MAC, "not-our-mac", "the frame is addressed to another host")                                        \
	X(ETHERTYPE, "ethertype", "not IPv4, IPv6 or ARP")                                                             \
	X(TRUNCATED, "truncated", "shorter than its own headers say")                                                  \
	X(MULTI_SEGMENT, "multi-segment", "larger than one packet buffer")                                             \
	X(IP_VERSION, "ip-version", "version or header length field is wrong")                                         \
	X(IP_CHECKSUM, "ip-checksum", "IPv4 header checksum is wrong")                                                 \
	X(IP_OPTIONS, "ip-options", "source routing or malformed IPv4 options")                                        \
	X(IP6_EXTENSION, "ipv6-extension", "malformed, too many or forbidden IPv6 extension headers")                  \
	X(BAD_ADDRESS, "bad-address", "source or destination that may not be forwarded (martian)")                     \
	X(SOURCE_CHECK, "source-check", "source does not belong to the subnet and the sender may not forward")         \
	X(L4_TRUNCATED, "l4-truncated", "transport header does not fit")                                               \
	X(TTL_EXPIRED, "ttl-expired", "TTL or hop limit reached zero")                                                 \
	/* fragments */                                                                                                \
	X(FRAGMENT_MALFORMED, "fragment-malformed", "overlapping, too small or too long fragments")                    \
	X(FRAGMENT_TOO_LONG, "fragment-too-long", "reassembled it would not fit into one packet buffer")               \
	X(FRAGMENT_TABLE_FULL, "fragment-table-full", "too many packets in fragments at once")                         \
	X(FRAGMENT_TIMEOUT, "fragment-timeout", "the first fragment did not come in time")                             \
	/* local delivery */                                                                                           \
	X(NOT_FOR_US, "not-for-us", "to this appliance, but nothing listens")                                          \
	X(PUNT_RATE, "punt-rate", "exception path: over the rate of its class")                                        \
	X(PUNT_FULL, "punt-full", "exception path: control is behind")                                                 \
	X(L4_CHECKSUM, "l4-checksum", "to this appliance, with a wrong transport checksum")                            \
	X(NEIGHBOUR_MALFORMED, "neighbour-malformed", "ARP or neighbour discovery that no honest host sends")          \
	X(NOT_PRIMARY, "not-primary", "asks for an address that another appliance of the pair answers for")            \
	X(HANDLED, "handled", "taken by the appliance itself (ARP, ND, echo); not an error")                           \
	/* NSG */                                                                                                      \
	X(NSG_DENY, "nsg-deny", "a network security group rule denies it")                                             \
	X(FLOW_TABLE_FULL, "flow-table-full", "no room for a new flow")                                                \
	X(FLOW_STATE, "flow-state", "impossible for the state of its TCP connection")                                  \
	/* routing */                                                                                                  \
	X(NO_ROUTE, "no-route", "no effective route covers the destination")                                           \
	X(ROUTE_NONE, "route-none", "the effective route's next hop type is None")                                     \
	X(ROUTE_INVALID, "route-invalid", "the route's next hop cannot be reached or would loop")                      \
	X(NO_INTERNET, "no-internet", "next hop Internet, but no uplink carries it")                                   \
	X(NO_GATEWAY, "no-gateway", "next hop VirtualNetworkGateway, but no connection serves it")                     \
	X(HUB_NO_TRANSIT, "hub-no-transit", "the virtual WAN does not let these two reach each other")                 \
	X(CLIENT_UNKNOWN, "client-unknown", "in a gateway's client address pool, but no client has this address")      \
	X(SUBNET_NOT_ATTACHED, "subnet-not-attached", "the destination's subnet is on no port of this appliance")      \
	X(PEER_FWD_DENIED, "peer-forwarded-denied", "allowForwardedTraffic is false on the receiving peering")         \
	X(PEER_ACCESS_DENIED, "peer-access-denied", "allowVirtualNetworkAccess is false (strictAccess)")               \
	X(INVALID_OBJECT, "invalid-object", "an id that stands for nothing")                                           \
	/* neighbour and transmit */                                                                                   \
	X(NEIGHBOUR_UNRESOLVED, "neighbour-unresolved", "no answer to ARP or neighbour solicitation")                  \
	X(NEIGHBOUR_QUEUE_FULL, "neighbour-queue-full", "too many packets wait for this neighbour")                    \
	X(MTU_EXCEEDED, "mtu-exceeded", "larger than the hop's MTU and may not be fragmented")                         \
	X(NO_BUFFER, "no-buffer", "no packet buffer or head room")                                                     \
	X(TX_FULL, "tx-full", "the port's transmit queue was full")                                                    \
	X(HANDOFF_FULL, "handoff-full", "the other worker's ring was full")                                            \
	/* ESP out */                                                                                                  \
	X(SA_MISSING, "sa-missing", "the tunnel has no usable outbound SA")                                            \
	X(SA_SEQUENCE, "sa-sequence-exhausted", "the SA's sequence numbers are used up")                               \
	X(SA_SEQUENCE_WAIT, "sa-sequence-reserve", "the next block of sequence numbers is not yet recorded")           \
	X(SA_LIFETIME, "sa-lifetime", "the SA's hard lifetime is over")                                                \
	X(GATEWAY_RATE, "gateway-rate", "above the rate of the gateway's SKU, which limitRate holds it to")            \
	X(SELECTOR_OUT, "selector-out", "outside the tunnel's traffic selectors, outbound")                            \
	/* ESP in */                                                                                                   \
	X(ESP_TRUNCATED, "esp-truncated", "shorter than ESP needs")                                                    \
	X(ESP_SPI_UNKNOWN, "esp-spi-unknown", "no SA with this SPI and address")                                       \
	X(ESP_ENCAPSULATION, "esp-encapsulation", "UDP-encapsulated where raw was agreed, or the reverse")             \
	X(ESP_LENGTH, "esp-length", "payload is not a multiple of the cipher's block")                                 \
	X(ESP_REPLAY, "esp-replay", "sequence number seen already or left of the window")                              \
	X(ESP_AUTHENTICATION, "esp-authentication", "integrity check value is wrong")                                  \
	X(ESP_PADDING, "esp-padding", "padding or pad length is wrong")                                                \
	X(ESP_NEXT_HEADER, "esp-next-header", "next header is neither IPv4 nor IPv6")                                  \
	X(ESP_DUMMY, "esp-dummy", "dummy packet (next header 59), discarded as agreed")                                \
	X(ESP_ECN, "esp-ecn", "congestion marked outside that the inner packet cannot carry (RFC 6040)")               \
	X(ESP_INNER, "esp-inner", "the opened packet is malformed")                                                    \
	X(SELECTOR_IN, "selector-in", "the opened packet is outside the SA's selectors")                               \
	X(ESP_KEEPALIVE, "esp-keepalive", "NAT keepalive, consumed")

enum drop_reason {
#define X(symbol, name, text) DROP_##symbol,
	DROP_REASONS(X)
#undef X
		DROP_REASON_COUNT
};

/* Any thread. Never NULL. */
const char *drop_name(enum drop_reason reason);
const char *drop_text(enum drop_reason reason);
