package mtatest

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Fault is a way in which a DNS server misbehaves. An honest answer is Fault 0.
type Fault int

// The faults of a DNS server.
const (
	NoFault      Fault = iota
	Silent             // no answer at all
	ServFail           // "server failure"
	Refusing           // "query refused"
	TooLong            // by UDP cut short, by TCP whole
	CutShort           // cut short by TCP, too
	TCPSilent          // cut short by UDP, and silent by TCP
	WrongID            // the answer "listed" to a question with another id
	WrongName          // the same to a question for another name
	WrongType          // to a question for another type
	OtherPort          // the same from a port that was not asked
	ListsAll           // every address is listed
	OverQuota          // 127.255.255.254 for every address
	Parked             // 203.0.113.7, as of a domain for sale, for every address
	ParkedAmong        // the same among codes of listings
	AliasLoop          // CNAMEs in a circle
	AliasNowhere       // a CNAME to a name of which nothing is said
	Alias              // a CNAME, and the honest answer for its target
	Referral           // the servers of the zone instead of an answer
	Garbage            // the id and then no DNS message
	Noise              // octets in which not even the id is right
	Giant              // an answer of 60,000 octets, by TCP
	Stub               // by TCP three octets
	NoSOA              // "no such name" without an SOA record
	faults
)

// Faults lists all faults.
func Faults() []Fault {
	list := make([]Fault, 0, faults)
	for f := Silent; f < faults; f++ {
		list = append(list, f)
	}
	return list
}

// String names the fault.
func (f Fault) String() string {
	names := [faults]string{
		"none", "silent", "SERVFAIL", "REFUSED", "too long for UDP", "cut short", "silent by TCP", "wrong id", "wrong name",
		"wrong type", "other port", "lists all", "over quota", "parked", "parked among codes", "alias loop", "alias nowhere",
		"alias", "referral", "garbage", "noise", "giant", "three octets", "no SOA",
	}
	if f < 0 || f >= faults {
		return "unknown fault"
	}
	return names[f]
}

// send answers with m, or what the fault makes of it.
func (f Fault) send(d *DNS, w dns.ResponseWriter, m *dns.Msg) {
	tcp := w.RemoteAddr().Network() == "tcp"
	switch f {
	case Silent:
		return
	case Garbage, Noise:
		_, _ = w.Write(f.octets(m))
		return
	case OtherPort:
		if packet, err := listing(m, "127.0.0.2").Pack(); err == nil {
			_, _ = d.stray.WriteTo(packet, w.RemoteAddr())
		}
		return
	case TooLong, CutShort, TCPSilent, Stub, Giant:
		if tcp && f == Stub {
			_, _ = w.Write([]byte{byte(m.Id >> 8), byte(m.Id), 0x84})
		}
		if tcp && (f == TCPSilent || f == Stub) {
			return
		}
		if !tcp || f == CutShort {
			m = short(m)
		} else if f == Giant {
			m = giant(m)
		}
	default:
		f.change(m)
	}
	_ = w.WriteMsg(m) // the client may be gone
}

// change makes the fault of what is a DNS message still.
func (f Fault) change(m *dns.Msg) {
	q := &m.Question[0]
	switch f {
	case ServFail, Refusing:
		m.Answer, m.Ns = nil, nil
		m.Rcode = map[Fault]int{ServFail: dns.RcodeServerFailure, Refusing: dns.RcodeRefused}[f]
	case WrongID:
		listing(m, "127.0.0.2").Id++
	case WrongName:
		q.Name = "x" + q.Name
		listing(m, "127.0.0.2")
	case WrongType:
		listing(m, "127.0.0.2")
		q.Qtype = dns.TypeTXT
	case ListsAll:
		listing(m, "127.0.0.2")
	case OverQuota:
		listing(m, "127.255.255.254")
	case Parked:
		listing(m, "203.0.113.7")
	case ParkedAmong:
		listing(m, "127.0.0.2", "203.0.113.7", "127.0.0.3")
	case AliasLoop:
		m.Rcode, m.Ns = dns.RcodeSuccess, nil
		m.Answer = []dns.RR{alias(q.Name, "a."+q.Name), alias("a."+q.Name, q.Name)}
	case AliasNowhere:
		m.Rcode, m.Ns = dns.RcodeSuccess, nil
		m.Answer = []dns.RR{alias(q.Name, "elsewhere.example.org.")}
	case Alias:
		for _, rr := range m.Answer {
			rr.Header().Name = "target.example.org."
		}
		m.Answer = append(m.Answer, alias(strings.ToUpper(q.Name), "target.example.org."))
	case Referral:
		m.Rcode, m.Answer, m.Authoritative = dns.RcodeSuccess, nil, false
		m.Ns = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.example.org."}}
	case NoSOA:
		m.Ns = nil
	}
}

// octets is an answer that is no DNS message.
func (f Fault) octets(m *dns.Msg) []byte {
	id := m.Id
	if f == Noise {
		id = ^id
	}
	return []byte{byte(id >> 8), byte(id), 0x84, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0xc0, 0x0c, 0x3f, 1, 2, 3}
}

// listing has m list what was asked for.
func listing(m *dns.Msg, codes ...string) *dns.Msg {
	m.Rcode, m.Answer, m.Ns = dns.RcodeSuccess, nil, nil
	for _, code := range codes {
		m.Answer = append(m.Answer, record(m.Question[0].Name, netip.MustParseAddr(code), 3600e9))
	}
	return m
}

func short(m *dns.Msg) *dns.Msg {
	m.Answer, m.Ns, m.Truncated = nil, nil, true
	return m
}

// giant adds 3,500 more records to an answer.
func giant(m *dns.Msg) *dns.Msg {
	for i := range 3500 {
		if len(m.Answer) > 0 {
			m.Answer = append(m.Answer, record(m.Question[0].Name, netip.AddrFrom4([4]byte{127, 1, byte(i >> 8), byte(i)}), 3600e9))
		}
	}
	m.Compress = true
	return m
}

func alias(from, to string) dns.RR {
	return &dns.CNAME{Hdr: dns.RR_Header{Name: from, Rrtype: dns.TypeCNAME, Class: dns.ClassINET, Ttl: 60}, Target: to}
}
