/** Owns what happens when a part of the page breaks: that part says so, and the rest goes on. */
import { Component, type ReactNode } from 'react';
import { Button } from './Button.tsx';
import { Notice } from './Notice.tsx';

interface BoundaryProps {
  /** What broke, in the sentence "… broke", e.g. "The Data room". */
  readonly what: string;
  readonly children: ReactNode;
}

interface BoundaryState {
  readonly fault: string | null;
}

export class Boundary extends Component<BoundaryProps, BoundaryState> {
  override state: BoundaryState = { fault: null };

  static getDerivedStateFromError(error: unknown): BoundaryState {
    return { fault: error instanceof Error ? error.message : String(error) };
  }

  override render(): ReactNode {
    const { fault } = this.state;
    if (fault === null) return this.props.children;
    return (
      <Notice
        tone="error"
        title={`${this.props.what} broke`}
        action={
          <>
            <Button size="small" onClick={() => this.setState({ fault: null })}>
              Show it again
            </Button>
            <Button size="small" kind="quiet" onClick={() => location.reload()}>
              Reload the page
            </Button>
          </>
        }
      >
        The rest of the page works on, and a run under way keeps running. What happened: {fault}
      </Notice>
    );
  }
}
