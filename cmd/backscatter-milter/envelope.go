package main

import (
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/classify"
	"github.com/backscatter-milter/backscatter-milter/internal/policy"
)

// maxGuessed bounds the recipients that are taken from a message.
const maxGuessed = 100

// messageEnvelope is what a delivered message tells of its envelope.
type messageEnvelope struct {
	sender      string
	senderKnown bool
	recipients  []string
	judged      string     // verdict header of ours
	client      netip.Addr // who handed it to our MTA, by Received fields
	received    time.Time  // when; zero where it does not say
}

// envelopeIn reads the envelope in the fields that MTAs leave on delivery.
func envelopeIn(message []byte) messageEnvelope {
	var e messageEnvelope
	var delivered, original, to []string
	var date time.Time
	for name, value := range classify.HeaderFields(message) {
		value = strings.TrimSpace(value)
		switch {
		case strings.EqualFold(name, "Return-Path") && !e.senderKnown:
			e.sender, e.senderKnown = withoutBrackets(value), true
		case strings.EqualFold(name, "Delivered-To"):
			delivered = append(delivered, withoutBrackets(value))
		case strings.EqualFold(name, "X-Original-To"):
			original = append(original, withoutBrackets(value))
		case strings.EqualFold(name, "To") && len(to) == 0:
			to = addressesIn(value)
		case strings.EqualFold(name, policy.HeaderName) && e.judged == "":
			e.judged = value
		case strings.EqualFold(name, "Received"):
			e.takeReceived(value)
		case strings.EqualFold(name, "Date") && date.IsZero():
			date, _ = mail.ParseDate(value)
		}
	}
	if e.received.IsZero() {
		e.received = date
	}
	for _, list := range [][]string{original, delivered, to} {
		if len(list) > 0 {
			e.recipients = list[:min(len(list), maxGuessed)]
			break
		}
	}
	return e
}

// takeReceived reads a Received field (RFC 5321, section 4.4), the newest of which
// comes first: when that was written, and who the newest client with a public
// address is, since hops within the site have others.
func (e *messageEnvelope) takeReceived(value string) {
	if i := strings.LastIndexByte(value, ';'); i >= 0 && e.received.IsZero() {
		if t, err := mail.ParseDate(strings.TrimSpace(value[i+1:])); err == nil {
			e.received = t
		}
	}
	if e.client.IsValid() {
		return
	}
	if a := clientIn(value); a.IsGlobalUnicast() && !a.IsPrivate() {
		e.client = a
	}
}

// isTagged reports whether an address looks like one with a tag.
func isTagged(address string) bool {
	s := batv.Scheme{Layout: batv.LayoutPRVS, Delimiter: '+', Lifetime: 10}
	return s.Verify(address, time.Unix(0, 0)).Result != batv.Missing
}

func addressesIn(value string) []string {
	list, err := mail.ParseAddressList(value)
	if err != nil {
		return nil
	}
	addresses := make([]string, 0, len(list))
	for _, a := range list {
		addresses = append(addresses, a.Address)
	}
	return addresses
}

func withoutBrackets(path string) string {
	path = strings.TrimSpace(path)
	return strings.TrimSuffix(strings.TrimPrefix(path, "<"), ">")
}
