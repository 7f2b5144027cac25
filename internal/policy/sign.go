package policy

import (
	"errors"

	"github.com/backscatter-milter/backscatter-milter/batv"
	"github.com/backscatter-milter/backscatter-milter/config"
)

// Why a reverse-path was signed or left alone: the values of the result label
// of backscatter_signed_total.
const (
	Signed              = "signed"
	NotSigning          = "off"                  // sign = false
	NotHome             = "not-probed"           // sign = "auto", and tagged recipients have not been seen to be accepted
	NullSender          = "null-sender"          // nothing to sign
	AlreadyTagged       = "already-tagged"       // signed by an earlier hop, or a tag of another site
	RewrittenSender     = "rewritten"            // SRS0/SRS1: the forwarder's own signature
	TooLong             = "too-long"             // the tag would push the local part over 64 octets
	UnsignedSender      = "unsigned-sender"      // listed in unsigned_senders
	UnsignedDestination = "unsigned-destination" // a recipient is listed in unsigned_destinations
	NoKey               = "no-key"               // no signing key for this domain
	NotAddress          = "not-an-address"       // no mailbox of the form local@domain
	NotPossible         = "not-negotiated"       // the MTA does not let milters change the sender
)

// Sign returns the signed reverse-path, or "" where the message keeps the one it
// has, and what is to be told of it.
func (m *Message) Sign() (address string, sent Sent) {
	sent.Sender = m.Sender
	if m.Kind != Outbound {
		return "", sent
	}
	address, sent.Result = m.sign()
	if sent.Result == Signed {
		sent.Key = m.settings.Tags.Verify(address, m.now).KeyID
	}
	return address, sent
}

func (m *Message) sign() (address, result string) {
	s := m.settings
	tags := s.Tags
	switch s.domainOf(m.Sender).sign {
	case config.SignOff:
		return "", NotSigning
	case config.SignAuto:
		if tags.Layout = s.site.Layout(domainPart(m.Sender)); tags.Layout == batv.LayoutNone {
			return "", NotHome
		}
	}
	if result := s.unsigned(m.Sender); result != "" {
		return "", result
	}
	if m.unsignedDestination {
		return "", UnsignedDestination
	}
	address, err := tags.Sign(m.Sender, m.now)
	if err != nil {
		return "", signResult(err)
	}
	return address, Signed
}

// unsigned tells why a sender's address would never be signed, "" if it would.
func (s *Settings) unsigned(address string) string {
	if anyMatch(s.domainOf(address).unsignedSenders, address) {
		return UnsignedSender
	}
	return signResult(s.Tags.Signable(address))
}

func signResult(err error) string {
	for _, c := range [...]struct {
		err    error
		result string
	}{
		{batv.ErrNullSender, NullSender},
		{batv.ErrTagged, AlreadyTagged},
		{batv.ErrRewritten, RewrittenSender},
		{batv.ErrTooLong, TooLong},
		{batv.ErrNoKey, NoKey},
		{batv.ErrNotAddress, NotAddress},
	} {
		if errors.Is(err, c.err) {
			return c.result
		}
	}
	return ""
}
