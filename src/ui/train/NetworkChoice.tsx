/** The choice of a network, and its table: each layer with what it makes and what it costs. */
import { useId, useMemo } from 'react';
import type { Shape } from '../../network/layers.ts';
import { findNetworkPreset, NETWORK_PRESETS } from '../../network/presets.ts';
import { layerOf, type NetworkSpec, resolveNetwork } from '../../network/spec.ts';
import { Disclosure } from '../controls/Disclosure.tsx';
import { formatCount } from '../controls/figures.ts';
import { Hint } from '../controls/Hint.tsx';
import { classesOfData, session, useSession } from '../useSession.ts';
import { ChoiceCard, ChoiceCards } from './ChoiceCards.tsx';
import styles from './NetworkChoice.module.css';

export function NetworkChoice() {
  const chosen = useSession((state) => state.network);
  const chosenName = useMemo(() => findNetworkPreset(chosen)?.name, [chosen]);
  const numClasses = useSession(classesOfData).classNames.length;
  const group = useId();
  return (
    <div className={styles.choice}>
      <ChoiceCards legend="Network">
        {Object.values(NETWORK_PRESETS).map(({ name, summary, spec }) => (
          <ChoiceCard
            key={name}
            group={group}
            title={spec.title}
            summary={summary}
            facts={sizeOf(spec, numClasses)}
            isChosen={name === chosenName}
            onChoose={() => session.setNetwork(spec)}
          />
        ))}
      </ChoiceCards>
      <LayerTable />
    </div>
  );
}

/** What it holds and what it costs. */
function sizeOf(spec: NetworkSpec, numClasses: number): readonly string[] {
  const { params, multiplyAdds } = resolveNetwork(spec, numClasses);
  const millions = (multiplyAdds / 1e6).toFixed(1);
  return [`${formatCount(params)} parameters`, `${millions} million multiply-adds`];
}

function LayerTable() {
  const chosen = useSession((state) => state.network);
  const numClasses = useSession(classesOfData).classNames.length;
  const { nodes, params, multiplyAdds } = useMemo(
    () => resolveNetwork(chosen, numClasses),
    [chosen, numClasses],
  );
  const { title } = chosen;
  return (
    <Disclosure
      title="Layer by layer"
      note={`${nodes.length} layers, ${formatCount(params)} parameters, ${formatCount(multiplyAdds)} multiply-adds a picture`}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a phone's keyboard must be able to scroll it. */}
      <section className={styles.frame} aria-label={`Layers of the network ${title}`} tabIndex={0}>
        <table className={styles.table}>
          <caption className="unseen">The network {title}, from picture to answer</caption>
          <thead>
            <tr>
              <th scope="col">Layer</th>
              <th scope="col">
                <span className={styles.term}>
                  Output
                  <Hint term="Output">
                    The shape of what the layer hands on for one picture: height × width × channels
                    while it still has sides, then a plain list of numbers.
                  </Hint>
                </span>
              </th>
              <th scope="col" className={styles.number}>
                <span className={styles.term}>
                  Parameters
                  <Hint term="Parameters">
                    The numbers that training finds. More can hold more knowledge, and take longer
                    to find.
                  </Hint>
                </span>
              </th>
              <th scope="col" className={styles.number}>
                <span className={styles.term}>
                  Multiply-adds
                  <Hint term="Multiply-adds">
                    How many multiplications, each with an addition, the layer needs to look at one
                    picture once. Learning from it takes about three times as many.
                  </Hint>
                </span>
              </th>
            </tr>
          </thead>
          <tbody>
            <tr>
              <th scope="row">Picture</th>
              <td>28 × 28 × 1</td>
              <td className={styles.number}>–</td>
              <td className={styles.number}>–</td>
            </tr>
            {nodes.map((placed) => (
              <tr key={placed.node.id}>
                <th scope="row">{layerOf(placed.node).describe(placed.node)}</th>
                <td>{formatShape(placed.shape)}</td>
                <td className={styles.number}>
                  {placed.params ? formatCount(placed.params) : '–'}
                </td>
                <td className={styles.number}>
                  {placed.multiplyAdds ? formatCount(placed.multiplyAdds) : '–'}
                </td>
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={2}>
                In all
              </th>
              <td className={styles.number}>{formatCount(params)}</td>
              <td className={styles.number}>{formatCount(multiplyAdds)}</td>
            </tr>
          </tfoot>
        </table>
      </section>
    </Disclosure>
  );
}

function formatShape(shape: Shape): string {
  return shape.map(formatCount).join(' × ');
}
