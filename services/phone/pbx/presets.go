package pbx

import "slices"

// What several presets have in common.
var (
	askedPBX  = Setting{Key: "sip.proxy", Asked: true, Why: "The name or address of your telephone system. A name has to be known: add it to the hosts under Names, or name a name server there."}
	port5060  = Setting{Key: "sip.port", Value: "5060", Why: "The port of SIP over UDP, which is all that these phones speak."}
	registers = Setting{Key: "sip.register", Value: "true", Why: "The telephone system finds a phone by its registration."}
	ownPort   = parameter("nat_enable", "1", "The phone then sends from the port on which it listens. Otherwise it sends from another one, and Asterisk's answers miss it.")
	noPublic  = parameter("nat_received_processing", "0", "The phones and the telephone system are in one network: the phones' own addresses are the right ones.")
	events    = parameter("dtmf_outofband", "avt", "Keys are sent as events (RFC 2833), which voice menus and voice mail understand.")
)

// asterisk is what its kinds have in common, and what is built on it.
var asterisk = []Setting{askedPBX, port5060, registers, ownPort, noPublic, events}

// behindNAT are the settings of phones whose telephone system is in the internet.
var behindNAT = []Setting{
	parameter("nat_enable", "1", "The phones are behind a router with address translation: they have to send from the port on which they listen."),
	parameter("nat_received_processing", "1", "The phone takes its public address from the provider's answers, so that nobody has to look it up and it may change."),
	parameter("timer_register_expires", "120", "Registering every two minutes keeps the way through the router open. Otherwise calls stop coming in after a while."),
	events,
}

// presets are all of them, in the order in which people are shown them.
var presets = []Preset{
	{
		Key: "asterisk-pjsip", Name: "Asterisk (PJSIP)", What: "Asterisk 13 or later with pjsip.conf. Asterisk 21 and later know nothing else.",
		Sets: asterisk,
		Steps: []string{
			"Put the text below into pjsip.conf, or into a file that it includes.",
			"If pjsip.conf has no transport for UDP yet, keep the first section; otherwise leave it out.",
			"Put the context in which your phones may dial in place of from-internal.",
			"Run: asterisk -rx 'pjsip reload'. Then 'pjsip show endpoints' lists each line, and once its phone is there, its contact.",
		},
		Write: writePJSIP, File: "pjsip.conf",
	},
	{
		Key: "asterisk-sip", Name: "Asterisk (chan_sip)", What: "Asterisk up to 20 with sip.conf. Later ones have PJSIP alone.",
		Sets: asterisk,
		Steps: []string{
			"Put the text below into sip.conf, or into a file that it includes.",
			"Put the context in which your phones may dial in place of from-internal.",
			"Run: asterisk -rx 'sip reload'. Then 'sip show peers' lists each line, and once its phone is there, its address.",
		},
		Write: writeSIP, File: "sip.conf",
	},
	{
		Key: "freepbx", Name: "FreePBX", What: "FreePBX and what is built on it. Its extensions are made in its own page.",
		Sets: asterisk,
		Steps: []string{
			"Look in FreePBX under Settings, Asterisk SIP Settings, on which port its driver listens for UDP: 5060 or, for chan_sip beside PJSIP, 5160. Enter that port here.",
			"For each line add an extension under Applications, Extensions, with the fields below.",
			"Press Submit, and then Apply Config on top of FreePBX.",
		},
		Write: writeFreePBX, File: "the fields of each extension",
	},
	{
		Key: "pbx", Name: "Another PBX", What: "Any telephone system of your own that speaks SIP over UDP.",
		Sets: []Setting{askedPBX, port5060, registers, parameter("nat_enable", "0", "The phones and the telephone system are in one network. If lines do not register, try 1: the phone then sends from the port on which it listens."), noPublic, events},
		Steps: []string{
			"Make an account for each line below in your telephone system.",
			"Let it offer G.711 (A-law or µ-law): these phones have no wide band codecs.",
			"Switch off encryption (TLS, SRTP) for these accounts; these phones have none.",
		},
		Write: writeAccounts, File: "the accounts",
	},
	{
		Key: "callcentric", Name: "Callcentric", What: "Accounts at Callcentric, whose numbers begin with 1777.", Provider: true,
		Sets: slices.Concat([]Setting{
			{Key: "sip.proxy", Value: "callcentric.com", Why: "The phones look up SRV records of this name, and find a server that runs. An address instead of the name would end with that server."},
			{Key: "sip.port", Value: "5060", Why: "What the phones use where no SRV record says otherwise; Callcentric's records name the right port."},
			registers,
			parameter("outbound_proxy", "", "Must be empty: through it the phones would not look for SRV records."),
			parameter("preferred_codec", "g711ulaw", "The codec of the American network."),
		}, behindNAT),
		Steps: []string{
			"Enter a name server under Names: without one nobody finds callcentric.com.",
			"Enter the router of your network under Network: the phones reach the internet through it.",
			"Give each line its account: the number that begins with 1777 as number and as login name, and its SIP password, which is not the one of Callcentric's page.",
			"Give each phone another voip_control_port where several stand behind one router that mixes them up.",
			"Leave backup and emergency proxies empty: with them, and no dial plan that names them, lines were seen to stay unregistered.",
		},
	},
	{
		Key: "provider", Name: "Another provider", What: "Accounts at a provider in the internet.", Provider: true,
		Sets: slices.Concat([]Setting{
			{Key: "sip.proxy", Asked: true, Why: "The provider calls it registrar, SIP server or domain. Take a name, not an address, where it gives one."},
			port5060, registers,
			{Key: "outbound_proxy", Asked: true, Parameter: true, Why: "Only where the provider names an outbound proxy or session border controller besides the registrar."},
		}, behindNAT),
		Steps: []string{
			"Enter a name server under Names, so that the provider's name is found.",
			"Enter the router of your network under Network: the phones reach the internet through it.",
			"Give each line the account that the provider names: often the number, and a login name that differs from it.",
			"Ask the provider to allow SIP over UDP without encryption: these phones have nothing else.",
			"Give each phone another voip_control_port where several stand behind one router that mixes them up.",
		},
	},
}

func parameter(name, value, why string) Setting {
	return Setting{Key: name, Value: value, Why: why, Parameter: true}
}
