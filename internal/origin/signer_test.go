package origin

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/backscatter-milter/backscatter-milter/internal/dkim"
)

var testKeys = sync.OnceValue(func() (k struct {
	rsa *rsa.PrivateKey
	ed  ed25519.PrivateKey
}) {
	var err error
	if k.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		panic(err)
	}
	k.ed = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two octets here"))
	return k
})

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// ourKeys has the selectors rsa and ed in domains of ours, the organisation's
// above one, and a stranger's.
func ourKeys() dkim.Static {
	der, err := x509.MarshalPKIXPublicKey(testKeys().rsa.Public())
	if err != nil {
		panic(err)
	}
	keys := dkim.Static{Keys: map[string]*dkim.Key{}}
	for _, domain := range []string{"example.com", "other.example", "org.example", "xn--bcher-kva.example", "stranger.net"} {
		for selector, record := range map[string]string{
			"rsa": "v=DKIM1; k=rsa; p=" + b64(der),
			"ed":  "v=DKIM1; k=ed25519; p=" + b64(testKeys().ed.Public().(ed25519.PublicKey)),
		} {
			if keys.Keys[selector+"._domainkey."+domain], err = dkim.ParseKey(record); err != nil {
				panic(err)
			}
		}
	}
	return keys
}

// signing is how a test signs: with RSA, relaxed, for example.com, unless it says
// otherwise.
type signing struct {
	ed, simple bool
	domain     string
	headers    string // h=
	more       string // tags
}

var blanks = regexp.MustCompile(`[ \t\r\n]+`)

func (s signing) canon(field string) string {
	if s.simple {
		return field
	}
	name, value, _ := strings.Cut(field, ":")
	return strings.ToLower(name) + ":" + strings.TrimSpace(blanks.ReplaceAllString(value, " "))
}

// sign puts a signature on top of a header whose fields have different names.
func (s signing) sign(t testing.TB, header []string) []string {
	t.Helper()
	if s.domain == "" {
		s.domain = "example.com"
	}
	if s.headers == "" {
		s.headers = "From:To:Subject:Date:Message-ID"
	}
	algorithm, selector, canon := "rsa-sha256", "rsa", "relaxed"
	var key crypto.Signer = testKeys().rsa
	var hashed crypto.SignerOpts = crypto.SHA256
	if s.ed {
		algorithm, selector, key, hashed = "ed25519-sha256", "ed", testKeys().ed, crypto.Hash(0)
	}
	if s.simple {
		canon = "simple"
	}
	own := "DKIM-Signature: v=1; a=" + algorithm + "; c=" + canon + "/relaxed; d=" + s.domain + "; s=" + selector + ";\r\n\th=" + s.headers + ";" + s.more +
		"\r\n\tbh=" + b64(make([]byte, 32)) + ";\r\n\tb="
	var data strings.Builder
	for name := range strings.SplitSeq(s.headers, ":") {
		for _, f := range header {
			if n, _, _ := strings.Cut(f, ":"); strings.EqualFold(n, name) {
				data.WriteString(s.canon(f) + "\r\n")
			}
		}
	}
	data.WriteString(s.canon(own))
	hash := sha256.Sum256([]byte(data.String()))
	value, err := key.Sign(rand.Reader, hash[:], hashed)
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{own + b64(value)}, header...)
}

// letter is a header of alice's, as it left her host, not signed.
func letter(changes ...string) []string {
	header := []string{
		"From: Alice <alice@example.com>",
		"To: Bob <bob@example.net>",
		"Subject: Lunch",
		"Date: " + dated,
		"Message-ID: <one@example.com>",
		"MIME-Version: 1.0",
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, ":")
		for i, f := range header {
			if n, _, _ := strings.Cut(f, ":"); n == name {
				header[i] = change
				if value == "" {
					header = append(header[:i:i], header[i+1:]...)
				}
				break
			}
		}
	}
	return header
}

// returned is a DSN that brings a message back, with its body or without.
func returned(header []string, full bool) string {
	media, body := "text/rfc822-headers", ""
	if full {
		media, body = "message/rfc822", "\r\nAt noon?\r\n"
	}
	return strings.ReplaceAll(`From: MAILER-DAEMON@mx.example.net
To: alice@example.com
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; bob@example.net
Action: failed
Status: 5.1.1

--b
Content-Type: `, "\n", "\r\n") + media + "\r\n\r\n" + strings.Join(header, "\r\n") + "\r\n" + body + "\r\n--b--\r\n"
}
