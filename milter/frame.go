package milter

import "bytes"

// Command codes of the milter protocol, from the MTA (SMFIC_*).
const (
	codeOptNeg      = 'O'
	codeMacro       = 'D'
	codeConnect     = 'C'
	codeHelo        = 'H'
	codeMail        = 'M'
	codeRcpt        = 'R'
	codeData        = 'T'
	codeHeader      = 'L'
	codeEOH         = 'N'
	codeBody        = 'B'
	codeEOM         = 'E'
	codeAbort       = 'A'
	codeUnknown     = 'U'
	codeQuit        = 'Q'
	codeQuitNewConn = 'K'
)

// Reply codes that can end a transaction (SMFIR_*).
const (
	replyAccept   = 'a'
	replyDiscard  = 'd'
	replyReject   = 'r'
	replyTempfail = 't'
	replyCode     = 'y'
)

// maxText bounds the payload of commands that carry addresses, names and
// macros; MTAs limit these to far less, and only header and body are longer.
const maxText = 64 << 10

// malformed tells why a command's payload must not reach go-milter, "" where
// it may. It checks what the library takes for granted.
func malformed(code byte, payload []byte) string {
	switch code {
	case codeBody, codeData, codeEOH, codeEOM, codeAbort, codeQuit, codeQuitNewConn:
		return ""
	case codeHeader:
		if bytes.Count(payload, []byte{0}) != 2 || payload[len(payload)-1] != 0 {
			return "malformed-header"
		}
		return ""
	}
	if len(payload) > maxText {
		return "text-too-long"
	}
	switch code {
	case codeOptNeg:
		if len(payload) < 12 {
			return "malformed-negotiation"
		}
	case codeConnect:
		return malformedConnect(payload)
	case codeMail, codeRcpt: // Postfix sends its own null sender as "", without brackets
		if len(payload) == 0 || payload[len(payload)-1] != 0 {
			return "malformed-address"
		}
	case codeHelo, codeUnknown:
		if len(payload) == 0 || payload[len(payload)-1] != 0 {
			return "malformed-text"
		}
	case codeMacro:
		if len(payload) == 0 {
			return "malformed-macro"
		}
	default:
		return "unknown-command"
	}
	return ""
}

// malformedConnect checks "host NUL family [port address NUL]".
func malformedConnect(payload []byte) string {
	const why = "malformed-connect"
	nul := bytes.IndexByte(payload, 0)
	if nul < 0 || nul+1 >= len(payload) {
		return why
	}
	rest := payload[nul+2:]
	switch payload[nul+1] {
	case 'U':
		return ""
	case 'L', '4', '6':
		if len(rest) < 3 || rest[len(rest)-1] != 0 {
			return why
		}
		return ""
	}
	return why
}
