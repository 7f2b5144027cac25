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

// Reply codes (SMFIR_*): those that can end a transaction, and two that do not.
const (
	replyAccept   = 'a'
	replyDiscard  = 'd'
	replyReject   = 'r'
	replyTempfail = 't'
	replyCode     = 'y'
	replyContinue = 'c'
	replySkip     = 's'
)

// maxPairs bounds the macros of one frame; few are asked for.
const maxPairs = 64

// maxLength is how long a command's frame may be, code included, and 0 for
// what is no command of the protocol. MTAs limit addresses and SMTP lines to
// 2 KiB; only header fields and body are long.
func maxLength(code byte) uint32 {
	switch code {
	case codeHeader, codeBody:
		return 1 << 20
	case codeMacro:
		return 16 << 10
	case codeOptNeg, codeConnect, codeHelo, codeMail, codeRcpt, codeUnknown,
		codeData, codeEOH, codeEOM, codeAbort, codeQuit, codeQuitNewConn:
		return 8 << 10
	}
	return 0
}

// malformed tells why a command's payload must not reach go-milter, "" where
// it may. It checks what the library takes for granted.
func malformed(code byte, payload []byte) string {
	terminated := len(payload) > 0 && payload[len(payload)-1] == 0
	switch code {
	case codeOptNeg:
		if len(payload) < 12 {
			return "malformed-negotiation"
		}
	case codeConnect:
		return malformedConnect(payload)
	case codeMail, codeRcpt: // Postfix sends its own null sender as "", without brackets
		if !terminated {
			return "malformed-address"
		}
	case codeHelo, codeUnknown:
		if !terminated {
			return "malformed-text"
		}
	case codeHeader:
		if !terminated || bytes.Count(payload, []byte{0}) != 2 {
			return "malformed-header"
		}
	case codeMacro:
		if len(payload) == 0 || bytes.Count(payload, []byte{0}) > 2*maxPairs {
			return "malformed-macro"
		}
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
