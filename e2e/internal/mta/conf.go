//go:build linux

package mta

import (
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/backscatter-milter/backscatter-milter/e2e/internal/box"
)

// conf holds the servers' configurations. A word between @ is filled in.
//
//go:embed conf
var conf embed.FS

// write puts a file of conf into a box. milter is the milter's address as the
// server writes it.
func (s Site) write(b *box.Box, path, source, milter string) error {
	content, err := conf.ReadFile("conf/" + source)
	if err != nil {
		return err
	}
	port := func(d Door) string { return strconv.Itoa(int(d.port())) }
	filled := strings.NewReplacer(
		"@ADDRESS@", s.Address.String(),
		"@SINK@", s.Sink.Addr().String(),
		"@MILTER@", milter,
		"@ADDRESS6@", s.address6().String(),
		"@OWN_NETWORK@", OwnNetwork,
		"@OWN_NETWORK6@", "["+strings.Replace(OwnNetwork6, "/", "]/", 1),
		"@SOCKET_PATH@", SocketPath,
		"@SECRET@", Secret,
		"@FRONT@", s.door(Front),
		"@FRONT6@", s.door(Front6),
		"@FAIL_OPEN@", s.door(FailOpen),
		"@SOCKET@", s.door(Socket),
		"@RECIPIENT_MAP@", s.door(RecipientMap),
		"@FILTERED_AFTER@", s.door(FilteredAfter),
		"@FILTERED_BEFORE@", s.door(FilteredBefore),
		"@RETURNED@", s.door(Returned),
		"@RETURNED_JUDGED@", s.door(ReturnedJudged),
		"@CANONICAL@", s.door(Canonical),
		"@MASQUERADE@", s.door(Masquerade),
		"@ANYBODY@", s.door(Anybody),
		"@DKIM@", s.door(DKIM),
		"@DKIM_PORT@", port(DKIM),
		"@SIGNER_PORT@", strconv.Itoa(SignerPort),
		"@FILTER_AFTER@", fmt.Sprintf("smtp:[%s]:%d", s.Sink.Addr(), FilterAfter),
		"@FILTER_BEFORE@", fmt.Sprintf("smtp:[%s]:%d", s.Sink.Addr(), FilterBefore),
		"@RELAYED@", Relayed,
		"@INTERNATIONAL@", International,
		"@INTERNATIONAL_ASCII@", InternationalASCII,
		"@FRONT_PORT@", port(Front),
		"@FAIL_OPEN_PORT@", port(FailOpen),
		"@SOCKET_PORT@", port(Socket),
	).Replace(string(content))
	if err := b.Write(path, filled, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
