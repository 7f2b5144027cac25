package spf

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// zone is a Resolver over a table: "TXT name" and so on.
type zone struct {
	records map[string][]string
	asked   int
}

var errServer = errors.New("SERVFAIL")

func (z *zone) get(key string) ([]string, error) {
	z.asked++
	got := z.records[key]
	if len(got) == 1 && got[0] == "SERVFAIL" {
		return nil, errServer
	}
	return got, nil
}

func (z *zone) TXT(_ context.Context, name string) ([]string, error) { return z.get("TXT " + name) }
func (z *zone) MX(_ context.Context, name string) ([]string, error)  { return z.get("MX " + name) }

func (z *zone) IPs(_ context.Context, name string) (list []netip.Addr, err error) {
	got, err := z.get("IP " + name)
	for _, s := range got {
		list = append(list, netip.MustParseAddr(s))
	}
	return list, err
}

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func world(record string) *zone {
	z := &zone{records: map[string][]string{
		"IP example.com":             {"192.0.2.1", "2001:db8::1"},
		"IP mx.example.com":          {"192.0.2.2"},
		"IP other.example.net":       {"198.51.100.7"},
		"MX example.com":             {"mx.example.com"},
		"MX many.example.net":        strings.Fields(strings.Repeat("mx.example.com ", 11)),
		"TXT _spf.example.net":       {"v=spf1 ip4:198.51.100.0/24 ~all"},
		"TXT ours.example.net":       {"v=spf1 ip4:192.0.2.1 -all"},
		"TXT open.example.net":       {"v=spf1 +all"},
		"TXT loop1.example.net":      {"v=spf1 include:loop2.example.net -all"},
		"TXT loop2.example.net":      {"v=spf1 include:loop1.example.net -all"},
		"TXT fails.example.net":      {"SERVFAIL"},
		"TXT two.example.net":        {"v=spf1 -all", "v=spf1 ~all"},
		"TXT broken.example.net":     {"v=spf1 ip4:1.2.3 -all"},
		"TXT redirected.example.net": {"v=spf1 redirect=_spf.example.net"},
	}}
	if record != "" {
		z.records["TXT example.com"] = []string{"google-site-verification=x", record}
	}
	return z
}

func TestCheck(t *testing.T) {
	ours := prefixes("192.0.2.0/30", "2001:db8::/64", "::ffff:203.0.113.9/128")
	tests := []struct {
		record string
		result Result
		others []string
	}{
		{"", NoRecord, nil},
		{"v=spf10 +all", NoRecord, nil},
		{"v=spf1", Nobody, nil},
		{"V=SPF1 -ALL", Nobody, nil},
		{"v=spf1 a mx ip4:192.0.2.1 ip6:2001:db8::1 -all", Nobody, nil},
		{"v=spf1 a/31//64 mx:example.com ip4:203.0.113.9 ip6:::ffff:192.0.2.1 ~all", Nobody, nil},
		{"v=spf1 ip4:192.0.2.0/30 ?all", Nobody, nil},
		{"v=spf1 include:ours.example.net -all", Nobody, nil},
		{"v=spf1 -ip4:198.51.100.1 ~include:_spf.example.net -exists:%{i}.example.net -all", Nobody, nil},
		{"v=spf1 -all ip4:198.51.100.1 redirect=_spf.example.net", Nobody, nil},
		{"v=spf1 a:none.example.net mx:none.example.net -all", Nobody, nil},
		{"v=spf1 exp=explain.example.net x-y_z.=1 -all", Nobody, nil},

		{"v=spf1 +all", Elsewhere, []string{"anybody (+all)"}},
		{"v=spf1 all", Elsewhere, []string{"anybody (all)"}},
		{"v=spf1 ip4:192.0.2.0/29 -all", Elsewhere, []string{"192.0.2.0/29"}},
		{"v=spf1 ip4:198.51.100.1 ?ip6:2001:db8:1::/48 -all", Elsewhere, []string{"198.51.100.1", "2001:db8:1::/48"}},
		{"v=spf1 a:other.example.net/28 -all", Elsewhere, []string{"198.51.100.0/28 (a:other.example.net/28)"}},
		{"v=spf1 a:OTHER.example.net. -all", Elsewhere, []string{"198.51.100.7 (a:OTHER.example.net.)"}},
		{"v=spf1 mx/24 -all", Elsewhere, []string{"192.0.2.0/24 (mx/24)"}},
		{"v=spf1 a//32 -all", Elsewhere, []string{"2001:db8::/32 (a//32)"}},
		{"v=spf1 include:_spf.example.net -all", Elsewhere, []string{"include:_spf.example.net: 198.51.100.0/24"}},
		{"v=spf1 include:redirected.example.net -all", Elsewhere, []string{"include:redirected.example.net, redirect=_spf.example.net: 198.51.100.0/24"}},
		{"v=spf1 include:open.example.net -all", Elsewhere, []string{"include:open.example.net: anybody (+all)"}},
		{"v=spf1 redirect=_spf.example.net", Elsewhere, []string{"redirect=_spf.example.net: 198.51.100.0/24"}},
		{"v=spf1 exists:%{i}._spf.example.net -all", Elsewhere, []string{"exists:%{i}._spf.example.net, of which cannot be told whom it means"}},
		{"v=spf1 a:%{d1r/}.example.net -all", Elsewhere, []string{"a:%{d1r/}.example.net, of which cannot be told whom it means"}},
		{"v=spf1 include:%{d}.example.net -all", Elsewhere, []string{"include:%{d}.example.net, of which cannot be told whom it means"}},
		{"v=spf1 ptr -all", Elsewhere, []string{"ptr, of which cannot be told whom it means"}},

		{"v=spf1 include:none.example.net -all", Elsewhere, []string{"include:none.example.net, where there is no SPF record"}},
		{"v=spf1 include:loop1.example.net -all", Elsewhere, []string{"loop1.example.net includes itself"}},
		{"v=spf1 include:example.com -all", Elsewhere, []string{"example.com includes itself"}},
		{"v=spf1 redirect=example.com", Elsewhere, []string{"example.com includes itself"}},
		{"v=spf1 include:two.example.net -all", Elsewhere, []string{"two.example.net has 2 SPF records"}},
		{"v=spf1 include:broken.example.net -all", Elsewhere, []string{`"ip4:1.2.3" is no term of SPF in the record of broken.example.net`}},
		{"v=spf1 mx:many.example.net -all", Elsewhere, []string{"mx:many.example.net: more than 10 exchangers"}},
		{"v=spf1 " + strings.Repeat("include:ours.example.net ", 100) + "-all", Elsewhere, []string{"more than 10 DNS lookups are needed for the record"}},
		{"v=spf1 " + strings.Repeat("-a ", 11) + "-all", Elsewhere, []string{"more than 10 DNS lookups are needed for the record"}},
		{"v=spf1 garbage -all", Elsewhere, []string{`"garbage" is no term of SPF in the record of example.com`}},
		{"v=spf1 \xff\x00 -all", Elsewhere, []string{`"??" is no term of SPF in the record of example.com`}},
		{"v=spf1 redirect=a.example redirect=b.example", Elsewhere, []string{`"redirect=b.example" is no term of SPF in the record of example.com`}},
		{"v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 290), Elsewhere, []string{"more than 256 terms in the record of example.com"}},
		{"v=spf1 " + strings.Repeat("x", 5000), Elsewhere, []string{"5007 octets in the record of example.com"}},

		{"v=spf1 include:fails.example.net -all", NotRead, nil},
		{"v=spf1 ip4:198.51.100.1 include:fails.example.net -all", Elsewhere, []string{"198.51.100.1"}},
	}
	for _, tt := range tests {
		t.Run(shortName(tt.record), func(t *testing.T) {
			z := world(tt.record)
			f := Check(t.Context(), z, "example.com", ours)
			if f.Result != tt.result || !cmp.Equal(f.Others, tt.others) {
				t.Errorf("%v %q", f.Result, f.Others)
			}
			if (f.Result == NotRead) != (f.Err != nil) {
				t.Errorf("%v, error %v", f.Result, f.Err)
			}
			if z.asked > 25 {
				t.Errorf("%d questions asked", z.asked)
			}
		})
	}
}

func shortName(s string) string { return s[:min(len(s), 60)] }

func TestText(t *testing.T) {
	for want, f := range map[string]Finding{
		"it has no SPF record":                    Check(t.Context(), world(""), "example.com", nil),
		"its SPF record lets nobody else send":    Check(t.Context(), world("v=spf1 -all"), "example.com", nil),
		"or leaves it open: 192.0.2.1; 192.0.2.2": Check(t.Context(), world("v=spf1 ip4:192.0.2.1 ip4:192.0.2.2 ip4:192.0.2.1 -all"), "example.com", nil),
		"could not be read: SERVFAIL":             Check(t.Context(), world(""), "fails.example.net", nil),
	} {
		if got := f.Text(); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, " ip4:198.51.100.%d", i)
	}
	if f := Check(t.Context(), world("v=spf1"+many.String()), "example.com", nil); len(f.Others) != maxOthers {
		t.Errorf("%d others listed", len(f.Others))
	}
}

func TestBadTerms(t *testing.T) {
	for _, bad := range []string{
		"all:x", "all/8", "ip4", "ip4:", "ip4:192.0.2.1/33", "ip4:192.0.2.1/", "ip4:192.0.2.1/+8", "ip4:2001:db8::1",
		"ip6:192.0.2.1", "ip6:2001:db8::1/129", "ip6:fe80::1%eth0", "ip6:::ffff:192.0.2.0/90", "include", "include:",
		"include/24", "exists", "exists:", "ptr:", "ptr/8", "a:", "a/33", "a//129", "a/", "mx:/24", "ax", "+", "--all", "=x", "1a=x",
		"redirect=",
	} {
		if _, _, err := parse("v=spf1 " + bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestCovered compares with asking address by address.
func TestCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			last := rapid.Byte().Draw(t, "last")
			return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), rapid.IntRange(25, 32).Draw(t, "bits")).Masked()
		})
		p := prefix.Draw(t, "p")
		networks := rapid.SliceOfN(prefix, 0, 6).Draw(t, "networks")
		want := true
		for a := p.Addr(); p.Contains(a); a = a.Next() {
			in := false
			for _, n := range networks {
				in = in || n.Contains(a)
			}
			want = want && in
		}
		if got := covered(p, networks); got != want {
			t.Fatalf("%v in %v: %v", p, networks, got)
		}
	})
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"v=spf1 a mx ip4:192.0.2.1 -all", "v=spf1 include:loop1.example.net redirect=_spf.example.net",
		"v=spf1 a:%{d1r/}/24//64 ptr:x exists:y ?all", "v=spf1 ip6:::ffff:192.0.2.1/99 ip6:::/0", "v=spf1  +", "",
	} {
		f.Add(s)
	}
	ours := prefixes("192.0.2.0/30", "2001:db8::/64")
	f.Fuzz(func(t *testing.T, record string) {
		z := world(record)
		got := Check(t.Context(), z, "example.com", ours)
		if z.asked > 300 || len(got.Others) > maxOthers || (got.Result == Elsewhere) != (len(got.Others) > 0) {
			t.Errorf("%q: %d questions, %+v", record, z.asked, got)
		}
		for _, o := range got.Others {
			if len(o) > 2000 || strings.ContainsFunc(o, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%q: shows %q", record, o)
			}
		}
	})
}
