// Package origin answers one question about a notification: did this site send
// the message it is about? It weighs what the returned header says against what
// the site knows: the ledger of what was sent, and the DKIM keys of its domains.
//
// Evidence for "ours" is tied to the notification's recipient: that somebody
// else here sent a message of that id proves nothing. Evidence for "foreign" is
// an absence, and counts only where the record was kept when the message is
// dated, and nothing hints at a way around the record. Whatever cannot be known,
// because the network, the store or the returned header fails, is Unknown.
//
// It refuses to say what follows from the answer, and to read tags in
// addresses, which are proof before any of this is asked.
package origin
