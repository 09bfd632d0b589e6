/* The ciphers of ESP: known answers, mixtures, and no byte outside of the packet. */
#include "drivers/crypto.h"

#include "tests/unit/esp_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define ESP_HEADER 8

static struct crypto_worker *worker;

static size_t
unhex(uint8_t *to, const char *text)
{
	size_t n = 0;

	for (; *text; text += 2) {
		unsigned byte;

		assert_int_equal(sscanf(text, "%2x", &byte), 1);
		to[n++] = (uint8_t)byte;
	}
	return n;
}

static struct crypto_key *
key_make(const struct cfg_sa *c)
{
	struct crypto_key *k;

	assert_int_equal(crypto_key_create(c, &k), 0);
	return k;
}

/* ---- known answers ------------------------------------------------------------------ */

/* The GCM cases of draft-mcgrew-gcm-test-01. aad: SPI and the number as authenticated (12 bytes: ESN). */
static const struct gcm_case {
	const char *key, *nonce, *clear, *aad, *cipher, *tag;
} gcm_cases[] = {
	{"4c80cdefbb5d10da906ac73c3613a634", "2e443b684956ed7e3b244cfe",
		"45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f7564700373697009"
		"63796265726369747902646b000021000101020201",
		"000043218765432100000000",
		"fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e"
		"1884f5ff6247aeabb786b93bce61bc17d768fd9732",
		"459018148f6cbe722fd04796562dfdb4"},
	{"feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
		"4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d0010000010000000000000373697009637962657263"
		"69747902646b00000100010001",
		"0000a5f80000000a",
		"deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85"
		"a5b47e48a4ec3b9ba95d918bd1",
		"83b70d3aa8bc6ee4c309e9d85a41ad4a"},
	{"abbccddef00112233445566778899aababbccddef00112233445566778899aab", "112233440102030405060708",
		"4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b401010402010202"
		"01",
		"4a2cbfe300000002",
		"ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d"
		"8e",
		"b335f4eecfdbf831824b4c4915956c96"},
	{"00000000000000000000000000000000", "000000000000000000000000",
		"4500003c99c500008001cb7a40679318010101010800075c020044006162636465666768696a6b6c6d6e6f7071727374757677"
		"61626364656667686901020201",
		"0000000000000001",
		"4688daf2f973a392732909c331d56d60f694abaa414b5e7ff5fdcdfff5e9a284456476492719ffb64de7d9dca1e1d894bc3bd5"
		"7873ed4d181d19d4d5c8c18af3",
		"f821d496eeb096e98ad2b69e4799c71d"},
	{"3de09874b388e6491988d0c3607eae1f", "57690e434e280000a2fca1a3",
		"4500003c99c300008001cb7c40679318010101010800085c020043006162636465666768696a6b6c6d6e6f7071727374757677"
		"61626364656667686901020201",
		"42f67e3f1010101010101010",
		"fba2caa4853cf9f0f22cb10d86dd83b0fec75691cf1a04b00d1138ec9c35791765acbd8701ad79845bf9fe3fba487bc91755e6"
		"662b4c8d0d1f5e22739530320a",
		"e0d731cc978ecafaeae88f00e80d6e48"},
	{"3de09874b388e6491988d0c3607eae1f", "57690e434e280000a2fca1a3",
		"4500001c42a200008001441f406793b6e00000020a00f5ff01020201", "42f67e3f1010101010101010",
		"fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed", "369f071f35e034be95f112e4e7d05d35"},
	{"feffe9928665731c6d6a8f9467308308feffe9928665731c", "cafebabefacedbaddecaf888",
		"45000028a4ad4000400678800a01038f0a010612802306b8cb712602dd6bb03e501016d075680001", "0000a5f80000000a",
		"a5b1f8066029aea40e598b8122de02420938b3ab33f828e687b8858b5bfbdbd0315b27452144cc77",
		"95457b9652037f5318027b5b4cd7a636"},
	{"abbccddef00112233445566778899aab", "decaf888cafedebaceface74",
		"4500004933ba00007f119106c3fb1d10c2b1d326c02831ce0035dd7b800302d500004e20001e8c18d75b81dc91baa0476b91b9"
		"24b280389d92c963bac046ec959b6266c04722b14923010101",
		"000001000000000000000001",
		"18a6fd42f72cbf4ab2a2ea901f73d814e3e7f243d95412e1c349c1d2fbec168f9190feebaf2cb01984e65863965d7472b79da3"
		"45e0e780191f0d2f0e0f496c226f2127b27db35724e7845d68",
		"651f57e65f354f75ff17015769623436"},
	{"abbccddef00112233445566778899aababbccddef00112233445566778899aab", "73616c74616e640169766563",
		"45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
		"17405e67156f3126dd0db99b",
		"f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e",
		"451626c2415771e3b7eebca614c89b35"},
	{"3de09874b388e6491988d0c3607eae1f", "57690e434e280000a2fca1a3",
		"45000049333e00007f119182c3fb1d10c2b1d326c02831ce0035cb458003025b000001e0001e8c18d65759d52284a0352c7147"
		"5c8880391c764d6e5ee0496b325ae270c03899493915010101",
		"42f67e3f1010101010101010",
		"fba2cad12fc1f9f00d3cebf305410db83d7784b607323d220f24b0a97d54182800cadb0f68d99ef0e0c0c89ae9bea8884e52d6"
		"5bc1afd0740f742444747b5b39ab533163aad4550ee5160975",
		"cdb608c5769189609763b8e18caa81e2"},
	{"abbccddef00112233445566778899aababbccddef00112233445566778899aab", "73616c74616e640169766563",
		"636973636f0172756c657301746865016e6574776501646566696e6501746865746563686e6f6c6f6769657301746861747769"
		"6c6c01646566696e65746f6d6f72726f7701020201",
		"17405e67156f3126dd0db99b",
		"d4b7ed86a1777f2ea13d6973d324c69e7b43f826fb56831226508bebd2dceb18d0a6df10e5487df074113e14c641024e3e6773"
		"d91a62ee429b043a10e3efe6b012a49363412364f8",
		"c0cac587f249e56b11e24f30e44ccc76"},
	{"7d773d00c144c525ac619d18c84a3f47", "d966426743457e9182443bc6", "01020201", "335467aeffffffff", "437f866b",
		"cb3f699fe9b0822bac961c4504bef270"},
	{"abbccddef00112233445566778899aab", "decaf888cafedebaceface74", "746f016265016f72016e6f7401746f0162650001",
		"000001000000000000000001", "29c9fc69a197d038ccdd14e2ddfcaa0543332164",
		"412503524303ed3c6c5f283843af8c3e"},
	{"6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961", "7475726e333021696765746d",
		"45000030da3a00008001df3bc0a80005c0a800010800c6cd020007006162636465666768696a6b6c6d6e6f7071727374010202"
		"01",
		"796b6963ffffffffffffffff",
		"f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a864cd3d78ca4ae68a32b42458fb57dbe821dcc63"
		"b9",
		"d0937ba2945f669368661a329fb4c053"},
};

/* An ESP packet from a case. Returns its length to the ICV. */
static uint16_t
gcm_packet(const struct gcm_case *c, uint8_t *esp, uint64_t *sequence, bool *esn)
{
	uint8_t aad[12], nonce[12];
	size_t aad_size = unhex(aad, c->aad), n;

	unhex(nonce, c->nonce);
	*esn = aad_size == 12;
	*sequence = 0;
	for (size_t i = 4; i < aad_size; i++)
		*sequence = *sequence << 8 | aad[i];
	memcpy(esp, aad, 4);
	memcpy(esp + 4, aad + aad_size - 4, 4);
	memcpy(esp + 8, nonce + 4, 8);
	n = unhex(esp + 16, c->cipher);
	unhex(esp + 16 + n, c->tag);
	return (uint16_t)(16 + n);
}

/* Shorter ICVs are the first bytes of the longest. */
static void
gcm_opens(const struct gcm_case *c, const enum cfg_encryption by_size[], uint8_t icv)
{
	struct cfg_sa sa = {.integrity = INTEG_NONE};
	uint8_t esp[256], clear[128], salt[12];
	struct crypto_op op = {.esp = esp};
	struct crypto_key *k;
	size_t key_size = unhex(sa.enc_key, c->key), n = unhex(clear, c->clear);

	unhex(salt, c->nonce);
	memcpy(sa.enc_key + key_size, salt, 4);
	sa.enc_key_len = (uint8_t)key_size + 4;
	sa.encryption = by_size[key_size];
	op.length = gcm_packet(c, esp, &op.sequence, &sa.esn);
	assert_int_equal(op.length, 16 + n);
	op.key = k = key_make(&sa);
	assert_int_equal(crypto_key_sizes(k).icv, icv);
	memset(esp + op.length + icv, 0, 16);
	crypto_open(worker, &op, 1);
	assert_true(op.ok);
	assert_memory_equal(esp + 16, clear, n);

	/* any other high half is another packet */
	gcm_packet(c, esp, &op.sequence, &sa.esn);
	op.sequence += 1ull << 32;
	crypto_open(worker, &op, 1);
	assert_int_equal(op.ok, !sa.esn);
	crypto_key_free(k);
}

static void
gcm_known(void **unused)
{
	static const enum cfg_encryption by_size[3][33] = {
		{[16] = ENC_AES_GCM_128, [24] = ENC_AES_GCM_192, [32] = ENC_AES_GCM_256},
		{[16] = ENC_AES_GCM12_128, [24] = ENC_AES_GCM12_192, [32] = ENC_AES_GCM12_256},
		{[16] = ENC_AES_GCM8_128, [24] = ENC_AES_GCM8_192, [32] = ENC_AES_GCM8_256},
	};

	for (size_t i = 0; i < sizeof(gcm_cases) / sizeof(gcm_cases[0]); i++)
		for (int short_by = 0; short_by < 3; short_by++)
			gcm_opens(&gcm_cases[i], by_size[short_by], (uint8_t)(16 - 4 * short_by));
}

/* RFC 7634 appendix A. */
static void
chacha_known(void **unused)
{
	static const struct gcm_case c = {"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
		"a0a1a2a31011121314151617",
		"45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f10111213141516"
		"1718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204",
		"0102030400000005",
		"24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e"
		"7c4c4f64c9befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0",
		"76aaa8266b7fb0f7b11b369907e1ad43"};
	static const enum cfg_encryption by_size[33] = {[32] = ENC_CHACHA20_POLY1305};

	gcm_opens(&c, by_size, 16);
}

/* RFC 4309 has no answers of its own: these are OpenSSL's, for SPI 0x1001 and number 42, with ESN behind 7 turns. */
static void
ccm_known(void **unused)
{
	static const char clear[] = "45000020da3a00008001df3bc0a80005c0a800010800c6cd0200070001020204";
	static const struct {
		enum cfg_encryption encryption;
		bool esn;
		const char *icv;
	} cases[] = {
		{ENC_AES_CCM_128, false, "891dcc68ec9fd0e76a2d787cd7946130"},
		{ENC_AES_CCM12_128, false, "5e4949930b108a256495bf37"},
		{ENC_AES_CCM8_128, false, "f468ce90d8ce1e12"},
		{ENC_AES_CCM_128, true, "6b7299b94921597b8ebc0f61b767161d"},
		{ENC_AES_CCM8_128, true, "013f5280cdb8b81e"},
		{ENC_AES_CCM_256, false, "25c379e3156b784a91688452d311d83b"},
		{ENC_AES_CCM12_256, true, "c7afbbd14507782b5845eec8"},
		{ENC_AES_CCM8_256, true, "c04ba456ce7da5b1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cfg_sa sa = {.encryption = cases[i].encryption, .esn = cases[i].esn};
		size_t key = algorithm_encryption[sa.encryption].key, icv = strlen(cases[i].icv) / 2;
		uint8_t esp[128] = {0, 0, 0x10, 1, 0, 0, 0, 42, 1, 2, 3, 4, 5, 6, 7, 8}, text[64];
		struct crypto_op op = {.esp = esp, .sequence = (sa.esn ? 7ull << 32 : 0) + 42, .length = 48};
		struct crypto_key *k;

		for (size_t b = 0; b < key; b++)
			sa.enc_key[b] = (uint8_t)(0x40 + b);
		unhex(sa.enc_key + key, "d0d1d2");
		sa.enc_key_len = (uint8_t)key + 3;
		unhex(esp + 16, key == 16 ? "ec8bd0fb9dfe3274e3cbca89101d823157c352a7a9e89728a83b208fcd6eceed"
					  : "29981a17cc4ec124b69e3a4ebb02ecd49f527e393a6f0ef1a642a8800caf114e");
		unhex(esp + op.length, cases[i].icv);
		op.key = k = key_make(&sa);
		assert_int_equal(crypto_key_sizes(k).icv, icv);
		crypto_open(worker, &op, 1);
		assert_true(op.ok);
		unhex(text, clear);
		assert_memory_equal(esp + 16, text, 32);
		crypto_key_free(k);
	}
}

/* CBC with HMAC: whole ESP packets, SPI 52, number 1; clear text with padding 1, 2, ... and next header. */
static const struct chain_case {
	enum cfg_integrity integrity;
	const char *auth, *clear, *esp;
} chain_cases[] = {
	{INTEG_SHA256_128, "de34560000007800001000000000000210304000010203040a0b0c0d05060708",
		"45000032000100001f11178bc0a8016fc0a8017000090009001e0000be9be95500000021000000000000000000000000000001"
		"02030405060708090a0b0c0c04",
		"000000340000000134126745ffff000020bfe8390000000067b5466e7817d35aac626262b0579b09194f0659c8b030651f4557"
		"41721728e9ad50be441d2d9ad048750d1c8d24a86f6b24b65d431e55f0f7141ff261d4e03016be1b5cccb7661c47ad076cd5cb"
		"ce6c"},
	{INTEG_SHA384_192,
		"10304000010203040a0b0c0d05060708de34560000007800001000000010000210304000010203341a0b0c0d05060708",
		"45000032000100001f11178bc0a8016fc0a8017000090009001e0000be9be95500000021000000000000000000000000000001"
		"02030405060708090a0b0c0c04",
		"0000003400000001000000000000000000000000000000004424b9d80fbea33fc9c0a2cbaada3fc60e8875962550074d52f475"
		"ecd8cde4cf859abc9e840fbb83720c7f580246eb866ed1cf056ad1d2c6b594090a3edf09fb0ab7b49717f220affa90924de40e"
		"ef5ae84346a85e3f5246"},
	{INTEG_SHA512_256,
		"de34560000007800001000000000000210304000010203040a0b0c0d05060708de345600000078000010000000100002103040"
		"00010203341a0b0c0d05060708",
		"45000032000100001f11178bc0a8016fc0a8017000090009001e0000be9be95500000021000000000000000000000000000001"
		"02030405060708090a0b0c0c04",
		"00000034000000014232766545352441f0c1b44000000000d03223f7cd3ddbd570191bf58feb983d415c28ddfdccdda2eb434c"
		"132da19887923a1f67208d9e8e51214ca9ffadfb5d57a31691aa75c728424e8f8e8437940974fa700dd137e27c54dd2eb4f454"
		"4b12e0af4a0a0b52579d36dcac02fb553405"},
	{INTEG_SHA256_128, "de34560000007800001000000000000210304000010203040a0b0c0d05060708",
		"60000000002006382607f8b0400c0c03000000000000001a20010470e5bfdead49572174e82c48870019f9c79563979c03a088"
		"318012a7d6258300000204056a01010402010303070102030405060629",
		"000000340000000145adfe2378561200f0c1053c000000001b1c986e2ace61efc1dd25965cb1b0154725b78b00b6bbe62e29cb"
		"4a9400f073db1432d9a2df222f523e7977f317aa401c572712824435b864e0aa5c10c797359c6b1cf7e7bd83337748447da413"
		"743b6a91d0d87d4145235dc92d087ad8258e"},
};

static void
chain_known(void **unused)
{
	for (size_t i = 0; i < sizeof(chain_cases) / sizeof(chain_cases[0]); i++) {
		const struct chain_case *c = &chain_cases[i];
		struct cfg_sa sa = {.encryption = ENC_AES_CBC_128, .integrity = c->integrity, .enc_key_len = 16};
		uint8_t esp[256], clear[128];
		size_t size = unhex(esp, c->esp), n = unhex(clear, c->clear);
		struct crypto_op op = {.esp = esp, .sequence = 1, .length = (uint16_t)(ESP_HEADER + 16 + n)};
		struct crypto_key *k;

		unhex(sa.enc_key, "000405012300000000000a0b0c0f0000");
		sa.auth_key_len = (uint8_t)unhex(sa.auth_key, c->auth);
		op.key = k = key_make(&sa);
		assert_int_equal(op.length + crypto_key_sizes(k).icv, size);
		crypto_open(worker, &op, 1);
		assert_true(op.ok);
		assert_memory_equal(esp + ESP_HEADER + 16, clear, n);
		crypto_key_free(k);
	}
}

/* Ciphers whose published answers have no ICV: a key that encrypts nothing and has the same hash puts it there. */
static const struct cipher_case {
	enum cfg_encryption encryption;
	const char *key, *iv, *clear, *cipher;
} cipher_cases[] = {
	/* FIPS 81, appendix C; SP 800-67, appendix B (a block alone, as in ECB) */
	{ENC_DES_CBC, "0123456789abcdef", "1234567890abcdef", "4e6f77206973207468652074696d6520666f7220616c6c20",
		"e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"},
	{ENC_3DES_CBC, "0123456789abcdef23456789abcdef01456789abcdef0123", "0000000000000000", "5468652071756663",
		"a826fd8ce53b855f"},
	{ENC_3DES_CBC, "0123456789abcdef23456789abcdef01456789abcdef0123", "0000000000000000", "6b2062726f776e20",
		"cce21c8112256fe6"},
	/* RFC 3686 section 6, cases 1, 3, 4, 6, 7, 9; the nonce behind the key */
	{ENC_AES_CTR_128, "ae6852f8121067cc4bf7a5765577f39e00000030", "0000000000000000",
		"53696e676c6520626c6f636b206d7367", "e4095d4fb7a7b3792d6175a3261311b8"},
	{ENC_AES_CTR_128, "7691be035e5020a8ac6e618529f9a0dc00e0017b", "27777f3f4a1786f0",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"c1cf48a89f2ffdd9cf4652e9efdb72d74540a42bde6d7836d59a5ceaaef3105325b2072f"},
	{ENC_AES_CTR_192, "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048", "36733c147d6d93cb",
		"53696e676c6520626c6f636b206d7367", "4b55384fe259c9c84e7935a003cbe928"},
	{ENC_AES_CTR_192, "02bf391ee8ecb159b959617b0965279bf59b60a786d3e0fe0007bdfd", "5cbd60278dcc0912",
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"96893fc55e5c722f540b7dd1ddf7e758d288bc95c69165884536c811662f2188abee0935"},
	{ENC_AES_CTR_256, "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060",
		"db5672c97aa8f0b2", "53696e676c6520626c6f636b206d7367", "145ad01dbf824ec7560863dc71e3e0c0"},
	{ENC_AES_CTR_256, "ff7a617ce69148e4f1726e2f43581de2aa62d9f805532edff1eed687fb54153d001cc5b7",
		"51a51d70a1c11148", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223",
		"eb6c52821d0bbbf7ce7594462aca4faab407df866569fd07f48cc0b583d6071f1ec0e6b8"},
};

static void
cipher_known(void **unused)
{
	for (size_t i = 0; i < sizeof(cipher_cases) / sizeof(cipher_cases[0]); i++) {
		const struct cipher_case *c = &cipher_cases[i];
		struct cfg_sa sa = {.integrity = INTEG_SHA256_128, .auth_key_len = 32, .outbound = true};
		uint8_t esp[128] = {0}, clear[64];
		size_t iv = unhex(esp + ESP_HEADER, c->iv), n = unhex(esp + ESP_HEADER + iv, c->cipher);
		struct crypto_op op = {.esp = esp, .length = (uint16_t)(ESP_HEADER + iv + n)};
		struct crypto_key *plain = key_make(&sa), *k;

		op.key = plain;
		crypto_seal(worker, &op, 1);
		sa.outbound = false;
		sa.encryption = c->encryption;
		sa.enc_key_len = (uint8_t)unhex(sa.enc_key, c->key);
		op.key = k = key_make(&sa);
		assert_int_equal(unhex(clear, c->clear), n);
		crypto_open(worker, &op, 1);
		assert_true(op.ok);
		assert_memory_equal(esp + ESP_HEADER + iv, clear, n);
		crypto_key_free(plain);
		crypto_key_free(k);
	}
}

/* HMAC of published texts, whose first 8 bytes stand where the ESP header does: RFC 2202 sections 2 and 3. */
static const struct hash_case {
	enum cfg_integrity integrity;
	const char *key, *text, *icv;
} hash_cases[] = {
	{INTEG_MD5_96, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265", "9294727a3638bb1c13f48ef8"},
	{INTEG_MD5_96, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
		"56be34521d144c88dbb8c733"},
	{INTEG_SHA1_96, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265", "b617318655057264e28bc0b6"},
};

static void
hash_known(void **unused)
{
	for (size_t i = 0; i < sizeof(hash_cases) / sizeof(hash_cases[0]); i++) {
		const struct hash_case *c = &hash_cases[i];
		struct cfg_sa sa = {.encryption = ENC_NULL, .integrity = c->integrity, .outbound = true};
		uint8_t esp[128], icv[CRYPTO_ICV_MAX];
		struct crypto_op op = {.esp = esp, .length = (uint16_t)unhex(esp, c->text)};
		struct crypto_key *k;

		sa.auth_key_len = (uint8_t)unhex(sa.auth_key, c->key);
		op.key = k = key_make(&sa);
		assert_int_equal(unhex(icv, c->icv), crypto_key_sizes(k).icv);
		crypto_seal(worker, &op, 1);
		assert_memory_equal(esp + op.length, icv, crypto_key_sizes(k).icv);
		crypto_key_free(k);
	}
}

static void
sha256_known(void **unused)
{
	uint8_t digest[32], expected[32];

	crypto_sha256("abc", 3, digest);
	unhex(expected, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_memory_equal(digest, expected, 32);
	crypto_sha256("", 0, digest);
	unhex(expected, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_memory_equal(digest, expected, 32);
}

/* ---- every kind --------------------------------------------------------------------- */

struct pair {
	struct crypto_key *seal, *open;
	struct crypto_sizes sizes;
};

static struct cfg_sa
kind_config(uint32_t kind, bool esn)
{
	struct cfg_sa c = {.esn = esn};

	assert_true(esp_kind(kind, &c.encryption, &c.integrity));
	c.enc_key_len = algorithm_key_length(c.encryption);
	c.auth_key_len = algorithm_integrity[c.integrity].key;
	assert_int_equal(crypto_random(c.enc_key, c.enc_key_len), 0);
	assert_int_equal(crypto_random(c.auth_key, c.auth_key_len), 0);
	return c;
}

static struct pair
pair_make(uint32_t kind, bool esn)
{
	struct cfg_sa c = kind_config(kind, esn);
	struct pair p;

	p.open = key_make(&c);
	c.outbound = true;
	p.seal = key_make(&c);
	p.sizes = crypto_key_sizes(p.seal);
	return p;
}

static void
pair_free(struct pair *p)
{
	crypto_key_free(p->seal);
	crypto_key_free(p->open);
}

/* One burst of everything, in random order and lengths: each packet as if it were alone. */
static void
mixed_bursts(void **unused)
{
	static uint8_t buffer[CRYPTO_BURST_MAX][2048], clear[CRYPTO_BURST_MAX][2048];
	static struct pair pair[512];
	const uint32_t kinds = esp_kinds();

	assert_true(2 * kinds <= sizeof(pair) / sizeof(pair[0]));
	for (uint32_t i = 0; i < 2 * kinds; i++)
		pair[i] = pair_make(i % kinds, i / kinds);
	for (uint32_t round = 0; round < 300; round++) {
		struct crypto_op op[CRYPTO_BURST_MAX];
		const struct pair *of[CRYPTO_BURST_MAX];
		uint16_t n = 1 + (uint16_t)(rand() % CRYPTO_BURST_MAX);
		uint64_t spoiled = 0;

		for (uint16_t i = 0; i < n; i++) {
			of[i] = &pair[(uint32_t)rand() % (2 * kinds)];
			op[i] = (struct crypto_op){.key = of[i]->seal,
				.esp = buffer[i],
				.sequence = (uint64_t)rand() << 20 | (uint64_t)rand(),
				.length = (uint16_t)(ESP_HEADER + of[i]->sizes.iv +
						     of[i]->sizes.block * (1 + rand() % (1400 / of[i]->sizes.block)))};
			assert_int_equal(crypto_random(buffer[i], op[i].length), 0);
			memcpy(clear[i], buffer[i], op[i].length);
		}
		crypto_seal(worker, op, n);
		for (uint16_t i = 0; i < n; i++) {
			op[i].key = of[i]->open;
			if (rand() % 8 == 0) {
				buffer[i][rand() % (op[i].length + of[i]->sizes.icv)] ^= 1 << rand() % 8;
				spoiled |= 1ull << i;
			}
		}
		crypto_open(worker, op, n);
		for (uint16_t i = 0; i < n; i++) {
			uint32_t header = ESP_HEADER + of[i]->sizes.iv;

			assert_int_equal(op[i].ok, !(spoiled >> i & 1));
			if (op[i].ok)
				assert_memory_equal(buffer[i] + header, clear[i] + header, op[i].length - header);
		}
	}
	for (uint32_t i = 0; i < 2 * kinds; i++)
		pair_free(&pair[i]);
}

/* DES is slow: of its long packets some will do. */
static bool
long_of_des(const struct pair *p, uint32_t size)
{
	return p->sizes.block == 8 && size > 150;
}

/* Between two pages that nobody may touch: the packet ends with its page, or starts with it. */
static void
stays_inside(void **unused)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *map = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *inside = map + page;
	const uint32_t kinds = esp_kinds();

	assert_true(map != MAP_FAILED);
	assert_int_equal(mprotect(inside, page, PROT_READ | PROT_WRITE), 0);
	for (uint32_t i = 0; i < 2 * kinds; i++) {
		struct pair p = pair_make(i % kinds, i / kinds);

		for (uint32_t size = p.sizes.block; size < 1500;
			size += p.sizes.block * (long_of_des(&p, size) ? 19 : 1)) {
			uint16_t length = (uint16_t)(ESP_HEADER + p.sizes.iv + size);

			for (int end = 0; end < 2; end++) {
				uint8_t *esp = end ? inside + page - length - p.sizes.icv : inside;
				struct crypto_op op = {.key = p.seal, .esp = esp, .sequence = 77, .length = length};

				memset(inside, 0x5a, page);
				crypto_seal(worker, &op, 1);
				for (uint8_t *b = inside; b < inside + page; b++)
					if (b < esp || b >= esp + length + p.sizes.icv)
						assert_int_equal(*b, 0x5a);
				op.key = p.open;
				crypto_open(worker, &op, 1);
				assert_true(op.ok);
			}
		}
		pair_free(&p);
	}
	munmap(map, 3 * page);
}

/* The IVs of packets 0..99 in two lives of a key, and how many bits two of them differ in at least. */
static int
iv_distance(const struct cfg_sa *c, uint32_t size)
{
	uint8_t iv[200][16];
	int least = 128;

	for (int life = 0; life < 2; life++) {
		struct crypto_key *k = key_make(c);

		for (int i = 0; i < 100; i++) {
			uint8_t esp[128] = {0};
			struct crypto_op op = {
				.key = k, .esp = esp, .sequence = (uint64_t)i, .length = (uint16_t)(8 + size + 32)};

			crypto_seal(worker, &op, 1);
			memcpy(iv[life * 100 + i], esp + 8, size);
		}
		crypto_key_free(k);
	}
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < i; k++) {
			int bits = 0;

			for (uint32_t b = 0; b < size; b++)
				bits += __builtin_popcount(iv[i][b] ^ iv[k][b]);
			least = bits < least ? bits : least;
		}
	}
	return least;
}

/* CBC's IV must not be guessable, nor repeat from one life of a key to the next. */
static void
cbc_iv_is_unpredictable(void **unused)
{
	struct cfg_sa c = {.integrity = INTEG_SHA1_96, .auth_key_len = 20, .outbound = true};

	c.encryption = ENC_AES_CBC_128;
	c.enc_key_len = 16;
	assert_true(iv_distance(&c, 16) > 20); /* 64 +- 6 expected: 20 is out of reach by chance */
	c.encryption = ENC_3DES_CBC;
	c.enc_key_len = 24;
	assert_int_equal(crypto_random(c.enc_key, c.enc_key_len), 0);
	assert_true(iv_distance(&c, 8) > 4); /* 32 +- 4 */
}

static void
wrong_keys_are_refused(void **unused)
{
	struct crypto_key *k;

	for (uint32_t kind = 0; kind < esp_kinds(); kind++) {
		struct cfg_sa c = kind_config(kind, false), bad = c;

		bad.enc_key_len++;
		assert_int_not_equal(crypto_key_create(&bad, &k), 0);
		assert_null(k);
		bad = c;
		bad.auth_key_len++;
		assert_int_not_equal(crypto_key_create(&bad, &k), 0);
		bad = c;
		bad.integrity = c.integrity == INTEG_NONE ? INTEG_SHA256_128 : INTEG_NONE;
		assert_int_not_equal(crypto_key_create(&bad, &k), 0);
	}
	crypto_key_free(NULL);
	crypto_worker_free(NULL);
}

static void
equal_bytes(void **unused)
{
	uint8_t a[32] = {0}, b[32] = {0};

	assert_true(crypto_equal(a, b, 32));
	for (int i = 0; i < 32 * 8; i++) {
		b[i / 8] ^= 1 << i % 8;
		assert_false(crypto_equal(a, b, 32));
		b[i / 8] ^= 1 << i % 8;
	}
	assert_true(crypto_equal(a, b, 0));
}

static int
start(void **unused)
{
	worker = crypto_worker_create();
	return worker ? 0 : -1;
}

static int
stop(void **unused)
{
	crypto_worker_free(worker);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gcm_known),
		cmocka_unit_test(chacha_known),
		cmocka_unit_test(ccm_known),
		cmocka_unit_test(chain_known),
		cmocka_unit_test(cipher_known),
		cmocka_unit_test(hash_known),
		cmocka_unit_test(sha256_known),
		cmocka_unit_test(mixed_bursts),
		cmocka_unit_test(stays_inside),
		cmocka_unit_test(cbc_iv_is_unpredictable),
		cmocka_unit_test(wrong_keys_are_refused),
		cmocka_unit_test(equal_bytes),
	};

	return cmocka_run_group_tests_name("crypto", tests, start, stop);
}
