package classify

import "testing"

func TestRecipientsOf(t *testing.T) {
	header := fields{{"From", "Mailer <mailer@mx.example.net>"}}
	tests := []struct{ notice, want string }{
		{"<bob@example.org>: 550 no", "bob@example.org"},
		{"您发给 bob@example.org的邮件", "bob@example.org"},
		{"bob@example.org：用户不存在", "bob@example.org"},
		{"to bob@b\u00fccher.example, who left", "bob@b\u00fccher.example"},
		{"to info@example.org", "info@example.org"},
		{"write to info@example.net", ""},
		{"write to info@mail.mx.example.net", ""},
		{"your address prvs=0123456789=alice@example.com", ""},
		{"your address alice@example.com", ""},
	}
	for _, tt := range tests {
		got := ""
		if all := recipientsOf([]byte(tt.notice), header, "alice@example.com"); len(all) > 0 {
			got = all[0].Final
		}
		if got != tt.want {
			t.Errorf("%q: %q, want %q", tt.notice, got, tt.want)
		}
	}
}
