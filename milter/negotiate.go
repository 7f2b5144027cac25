package milter

import (
	"github.com/d--j/go-milter"

	"github.com/backscatter-milter/backscatter-milter/config"
)

// What the daemon would like to do to messages, and which events and replies
// it can do without. It takes what of these the MTA offers: an old MTA sends
// more and waits for more replies.
const (
	wantActions = milter.OptAddHeader | milter.OptChangeHeader |
		milter.OptAddRcpt | milter.OptAddRcptWithArgs | milter.OptRemoveRcpt |
		milter.OptChangeFrom | milter.OptQuarantine | milter.OptSetMacros
	wantProtocol = milter.OptNoHelo | milter.OptNoUnknown |
		milter.OptNoConnReply | milter.OptNoMailReply | milter.OptNoHeaderReply |
		milter.OptSkip | milter.OptRcptRej
)

// macroRequests names the few macros that are used. An MTA that is asked for
// none would send its defaults.
func macroRequests() []milter.Option {
	return []milter.Option{
		milter.WithMacroRequest(milter.StageConnect, []milter.MacroName{milter.MacroDaemonName, milter.MacroClientAddr}),
		milter.WithMacroRequest(milter.StageMail, []milter.MacroName{milter.MacroAuthAuthen, milter.MacroQueueId}),
		milter.WithMacroRequest(milter.StageRcpt, []milter.MacroName{milter.MacroRcptMailer, milter.MacroRcptHost, milter.MacroRcptAddr, milter.MacroQueueId}),
		milter.WithMacroRequest(milter.StageData, []milter.MacroName{milter.MacroQueueId}),
		milter.WithMacroRequest(milter.StageEOH, []milter.MacroName{milter.MacroQueueId}),
		milter.WithMacroRequest(milter.StageEOM, []milter.MacroName{milter.MacroQueueId}),
	}
}

// negotiate takes what the MTA offers of what is wanted. DATA is asked for
// only when the stage setting decides there.
func (s *Server) negotiate(mtaVersion, ownVersion uint32, mtaActions, _ milter.OptAction, mtaProtocol, _ milter.OptProtocol, _ milter.DataSize) (uint32, milter.OptAction, milter.OptProtocol, milter.DataSize, error) {
	protocol := wantProtocol
	if s.settings.Load().Stage != config.StageData {
		protocol |= milter.OptNoData
	}
	version, actions := min(mtaVersion, ownVersion), wantActions&mtaActions
	if version < 6 { // Postfix offers these whatever milter_protocol says
		actions &^= milter.OptAddRcptWithArgs | milter.OptChangeFrom
	}
	return version, actions, protocol & mtaProtocol, milter.DataSize64K, nil
}
