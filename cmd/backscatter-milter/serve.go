package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/backscatter-milter/backscatter-milter/internal/daemon"
	"github.com/backscatter-milter/backscatter-milter/internal/maillog"
	"github.com/backscatter-milter/backscatter-milter/milter"
)

func newServeCommand(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the milter",
		Long: "Run the milter in the foreground until SIGTERM or SIGINT. At such a signal no new\n" +
			"connection is taken, and messages that are under way are finished. SIGHUP loads\n" +
			"configuration and keys anew, as the command reload does.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			hangup := make(chan os.Signal, 1)
			signal.Notify(hangup, syscall.SIGHUP)
			defer signal.Stop(hangup)
			return serve(ctx, s, hangup, cmd.ErrOrStderr())
		},
	}
}

// serve runs the daemon until ctx ends; at each hangup it loads its settings
// anew.
func serve(ctx context.Context, s *site, hangup <-chan os.Signal, stderr io.Writer) error {
	start, err := s.load()
	if err != nil {
		return err
	}
	buffer := maillog.NewBuffer(stderr)
	defer buffer.Close()
	live := maillog.NewLive(buffer, start.Config.Log)
	live.Log().Info("starting", "version", version, "config", start.From)

	milter.LogLibrary(func(warning string) { live.Log().Debug("milter library", "warning", warning) })
	return daemon.Run(ctx, daemon.Options{
		Version: version, Start: start, Load: s.load, Hangup: hangup, Log: live, Now: time.Now, RealTime: time.Now,
	})
}
