package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/config"
	"github.com/backscatter-milter/backscatter-milter/internal/journal"
)

// decisions answers with a page of the journal as JSON:
//
//	{"decisions":[{"seq":…,"time":…,"id":…,…,"outcome":"refused"}],"next":SEQ}
//
// The newest come first; next, if it is not 0, is "before" of the page that
// follows. Parameters, each at most once: reason, action, class, origin, outcome,
// id (of the decision, or the queue's), client (address or network), domain (of
// a recipient), since and until (RFC 3339, a date, or "24h" or "7d" ago), before,
// after (a seq: the page that ends above it), limit (50; at most 1000). A mistake
// is answered with 400 and {"error":…}.
func (s Source) decisions(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	q, err := s.query(r.URL.Query())
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		_ = enc.Encode(map[string]string{"error": err.Error()})
		return
	}
	type decision struct {
		journal.Entry
		Outcome journal.Outcome `json:"outcome"`
	}
	page := s.Decisions.Find(q)
	result := struct {
		Decisions []decision `json:"decisions"`
		Next      uint64     `json:"next"`
	}{Decisions: []decision{}, Next: page.Next}
	for _, e := range page.Entries {
		result.Decisions = append(result.Decisions, decision{e, e.Outcome()})
	}
	_ = enc.Encode(result) // a client that has gone away needs no answer
}

// query reads the parameters of a query, as they can be answered.
func (s Source) query(v url.Values, also ...string) (journal.Query, error) {
	q, err := parseQuery(v, s.Now(), also...)
	if err == nil && q.Domain != "" && s.Hashed != nil && s.Hashed() {
		err = errors.New(`domain: addresses are kept as hashes, by [log] privacy = "hash": there is no domain to look for`)
	}
	return q, err
}

// parseQuery reads the parameters of a query; those named in also are left to the
// caller.
func parseQuery(v url.Values, now time.Time, also ...string) (q journal.Query, err error) {
	q = journal.Query{
		Reason: v.Get("reason"), Action: v.Get("action"), Class: v.Get("class"), Origin: v.Get("origin"),
		Outcome: journal.Outcome(v.Get("outcome")), ID: v.Get("id"), Domain: v.Get("domain"), Fold: config.FoldDomain,
	}
	for name, values := range v {
		switch value := values[0]; {
		case len(values) > 1:
			err = fmt.Errorf("given %d times", len(values))
		case value == "" || slices.Contains(also, name) || slices.Contains([]string{"reason", "class", "origin", "id", "domain"}, name):
		case name == "action":
			err = oneOf(value, actions())
		case name == "outcome":
			err = oneOf(value, outcomes())
		case name == "client":
			q.Client, err = parseClient(value)
		case name == "since":
			q.Since, err = parseTime(value, now)
		case name == "until":
			q.Until, err = parseTime(value, now)
		case name == "before":
			q.Before, err = parseSeq(value)
		case name == "after":
			q.After, err = parseSeq(value)
		case name == "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 1 || q.Limit > journal.MaxLimit {
				err = fmt.Errorf("%q: want 1 to %d", value, journal.MaxLimit)
			}
		default:
			err = errors.New("there is no such parameter")
		}
		if err != nil {
			return journal.Query{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return q, nil
}

// actions are those of the policy.
func actions() []string {
	return []string{"accept", "mark", "quarantine", "tempfail", "reject", "discard"}
}

func outcomes() (all []string) {
	for _, o := range journal.Outcomes() {
		all = append(all, string(o))
	}
	return all
}

func parseSeq(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf(`%q: want a number, as "next" or "seq" of an answer gives it`, s)
	}
	return n, nil
}

func oneOf(value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%q: want one of %s", value, strings.Join(allowed, ", "))
}

func parseClient(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		addr = addr.Unmap().WithZone("")
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(s)
	if err != nil {
		return network, fmt.Errorf("%q: want an address or a network, such as 192.0.2.25 or 192.0.2.0/24", s)
	}
	return network.Masked(), nil
}

// parseTime reads a time, or how long ago it was.
func parseTime(s string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	ago, err := config.ParseDuration(s)
	if err != nil {
		return time.Time{}, fmt.Errorf(`%q: want a time such as 2026-11-21T08:30:00Z or 2026-11-21, or how long ago, such as 24h or 7d`, s)
	}
	return now.Add(-ago), nil
}
