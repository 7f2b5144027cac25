package origin

import (
	"net/mail"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// maxField is how much of a header field is read.
const maxField = 8 << 10

// addressesIn reads an address field, also one that is not quite right.
func addressesIn(value string) []string {
	value = value[:min(len(value), maxField)]
	if list, err := mail.ParseAddressList(value); err == nil {
		var addresses []string
		for _, a := range list {
			addresses = append(addresses, a.Address)
		}
		return addresses
	}
	rest := value[strings.LastIndexByte(value, '<')+1:]
	if address, _, ok := strings.Cut(rest, ">"); ok && domainOf(address) != "" {
		return []string{strings.TrimSpace(address)}
	}
	return nil
}

// mentionedIn lists all that looks like an address in a field.
func mentionedIn(value string) []string {
	var addresses []string
	for word := range strings.FieldsFuncSeq(value[:min(len(value), maxField)], func(r rune) bool {
		return r <= ' ' || strings.ContainsRune(`<>()[]",;:`, r)
	}) {
		if domainOf(word) != "" {
			addresses = append(addresses, word)
		}
	}
	return addresses
}

// domainOf is the domain of an address, "" where it has none.
func domainOf(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	return address[at+1:]
}

func sameDomain(a, b string) bool {
	return a != "" && config.FoldDomain(a) == config.FoldDomain(b)
}

// dateOf reads a Date, zero where it cannot be read. Zones by name are not read
// but for those of UTC: what they mean depends on who reads them.
func dateOf(value string) time.Time {
	const longest = 200
	if len(value) > longest {
		return time.Time{}
	}
	bare, _, _ := strings.Cut(value, "(")
	bare = strings.TrimSpace(bare)
	zone := bare[strings.LastIndexAny(bare, " \t")+1:]
	if zone != "UT" && zone != "UTC" && zone != "GMT" && !strings.HasPrefix(zone, "+") && !strings.HasPrefix(zone, "-") {
		return time.Time{}
	}
	t, err := mail.ParseDate(value)
	if err != nil {
		return time.Time{}
	}
	return t
}
