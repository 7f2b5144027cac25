package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// How many wrong tokens a client may bring, and how many clients are counted.
const (
	maxFailures  = 10
	failureTime  = time.Minute
	maxOffenders = 1 << 10
)

// authorized asks for "Authorization: Bearer TOKEN" (RFC 6750, section 2.1) or,
// since browsers can only do that, for the token as the password of any user
// (RFC 7617), compared in constant time. The right one is always good: all that
// comes through a proxy has one address, and who guesses there must not shut out
// the others. Too many wrong ones from a client in a minute are answered with 429
// and no longer told of; what keeps them from being guessed is their length.
// Whether the daemon lives may be asked without any.
func authorized(s Source, next http.Handler) http.Handler {
	if s.Token == "" {
		return next
	}
	want := sha256.Sum256([]byte(s.Token))
	failures := offenders{now: s.Now, counts: make(map[netip.Prefix]*offence)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, brought := tokenOf(r)
		got := sha256.Sum256([]byte(token))
		if subtle.ConstantTimeCompare(want[:], got[:]) == 1 || r.URL.Path == livePath {
			next.ServeHTTP(w, r)
			return
		}
		client := clientNetwork(r.RemoteAddr)
		if brought && failures.tooMany(client) {
			w.Header().Set("Retry-After", "60")
			answer(w, http.StatusTooManyRequests, "too many wrong tokens, try again in a minute")
			return
		}
		if brought {
			failures.add(client)
			if s.Denied != nil {
				s.Denied(client)
			}
		}
		w.Header().Add("WWW-Authenticate", "Bearer")
		w.Header().Add("WWW-Authenticate", `Basic realm="backscatter-milter: any name, and the token", charset="UTF-8"`)
		answer(w, http.StatusUnauthorized, "a token is needed")
	})
}

func tokenOf(r *http.Request) (token string, brought bool) {
	if _, password, ok := r.BasicAuth(); ok {
		return password, true
	}
	field := r.Header.Get("Authorization")
	scheme, token, _ := strings.Cut(field, " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110, section 11.1
		token = ""
	}
	return strings.TrimLeft(token, " "), field != ""
}

// clientNetwork is what a client is counted by: its address, of IPv6 the /64;
// nothing for a unix socket.
func clientNetwork(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr := at.Addr().Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}

// offenders counts wrong tokens.
type offenders struct {
	now    func() time.Time
	mu     sync.Mutex
	counts map[netip.Prefix]*offence
}

type offence struct {
	count int
	until time.Time // when it is forgotten
}

func (o *offenders) tooMany(client netip.Prefix) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.find(client)
	return found != nil && found.count >= maxFailures && o.now().Before(found.until)
}

// find gives a client's count; that of all others where there are too many.
func (o *offenders) find(client netip.Prefix) *offence {
	if found := o.counts[client]; found != nil {
		return found
	}
	if len(o.counts) < maxOffenders {
		return nil
	}
	return o.counts[netip.Prefix{}]
}

func (o *offenders) add(client netip.Prefix) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	for network, found := range o.counts {
		if !now.Before(found.until) {
			delete(o.counts, network)
		}
	}
	found := o.find(client)
	if found == nil {
		if len(o.counts) >= maxOffenders {
			client = netip.Prefix{}
		}
		found = &offence{}
		o.counts[client] = found
	}
	found.count++
	found.until = now.Add(failureTime)
}

// guarded adds what keeps an answer private, and where names are all that
// protects it, answers under those of loopback or an address only: a web site can
// give a name of its own the address 127.0.0.1, and read what a browser then
// gets from there.
func guarded(byName bool, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if byName && !ownName(r.Host) {
			answer(w, http.StatusMisdirectedRequest, "ask for this by address, as localhost, or with a token")
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		next(w, r)
	})
}

func ownName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
