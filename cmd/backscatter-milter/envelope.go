package main

import (
	"net/mail"
	"strings"

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
	judged      string // verdict header of ours
}

// envelopeIn reads the envelope in the fields that MTAs leave on delivery.
func envelopeIn(message []byte) messageEnvelope {
	var e messageEnvelope
	var delivered, original, to []string
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
		}
	}
	for _, list := range [][]string{original, delivered, to} {
		if len(list) > 0 {
			e.recipients = list[:min(len(list), maxGuessed)]
			break
		}
	}
	return e
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
