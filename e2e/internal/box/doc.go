// Package box gives each mail server of the end-to-end tests a machine of its
// own on this one, without installing anything: its packages are downloaded,
// unpacked over an overlay of this machine's root file system, and the server
// runs chrooted into that, in a network of documentation addresses (RFC 5737).
//
// All of it lives in private namespaces of the test process. When that process
// ends, by whatever signal, the kernel takes mounts, addresses and processes
// away with it; nothing outside is changed.
//
// It is not a sandbox: what runs in a box is root and trusted.
package box
