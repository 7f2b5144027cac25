package dkim

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The example of RFC 6376, appendices A.2 and C.
const rfc6376 = `DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
` + joe

const joe = `From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>
`

// The example of RFC 8463, appendix A.3.
const rfc8463 = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
` + joe

// rfcKeys are the keys of those appendices (RFC 8463: A.2).
func rfcKeys() records {
	return records{
		"brisbane._domainkey.example.com": "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkM" +
			"oGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4" +
			"OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
		"brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		"test._domainkey.football.example.com": "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08" +
			"a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9Pzo" +
			"xZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
	}
}

func rfcOptions() Options {
	return Options{Ours: func(d string) bool { return within(d, "example.com") }, Keys: rfcKeys()}
}

// TestRFC verifies the examples, in each way in which lines can end.
func TestRFC(t *testing.T) {
	hash, _ := base64.StdEncoding.DecodeString("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=")
	zone := time.FixedZone("PDT", -7*3600)
	signed := Signed{
		From: []string{"Joe SixPack <joe@football.example.com>"}, To: "Suzie Q <suzie@shopping.example.net>",
		Date: "Fri, 11 Jul 2003 21:00:37 -0700 (PDT)", MessageID: "<20030712040037.46341.5F8J@football.example.com>",
		Sent: time.Date(2003, 7, 11, 21, 0, 37, 0, zone),
	}
	football := Signature{Status: Pass, Domain: "football.example.com", Identity: "@football.example.com", BodyHash: hash, Signed: signed}
	byRSA, byEd, simple := football, football, football
	byRSA.Selector, byRSA.Algorithm, byRSA.KeyBits = "test", "rsa", 1024
	byEd.Selector, byEd.Algorithm, byEd.KeyBits = "brisbane", "ed25519", 256
	simple.Domain, simple.Identity, simple.Selector = "example.com", "joe@football.example.com", "brisbane"
	simple.Algorithm, simple.KeyBits = "rsa", 1024
	for _, ending := range []string{"\r\n", "\n", "\r", "\r\r\n"} {
		for _, tt := range []struct {
			header string
			want   []Signature
		}{
			{rfc6376, []Signature{simple}},
			{rfc8463, []Signature{byRSA, byEd}},
		} {
			header := []byte(strings.ReplaceAll(tt.header, "\n", ending))
			before := bytes.Clone(header)
			got := Verify(t.Context(), header, rfcOptions())
			if diff := cmp.Diff(Result{Signatures: tt.want}, got); diff != "" {
				t.Errorf("with %q:\n%s", ending, diff)
			}
			if !bytes.Equal(before, header) {
				t.Error("the header was written to")
			}
		}
	}
	altered := strings.Replace(rfc8463, "dinner", "supper", 1)
	for _, s := range Verify(t.Context(), []byte(altered), rfcOptions()).Signatures {
		if s.Status != Fail || s.Err == nil || s.Signed.From != nil {
			t.Errorf("altered: %+v", s)
		}
	}
}
