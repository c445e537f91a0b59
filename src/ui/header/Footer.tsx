/** Owns the last lines of the page: where the data and the letters come from. */
import styles from './Footer.module.css';

export function Footer() {
  return (
    <footer className={styles.footer}>
      <div className={styles.line}>
        <p>
          The pictures are Fashion-MNIST by Han Xiao, Kashif Rasul and Roland Vollgraf (Zalando SE,
          MIT licence). Set in Fraunces and Instrument Sans (SIL Open Font Licence).
        </p>
        <p>Atelier makes no request to anyone but the server this page came from.</p>
      </div>
    </footer>
  );
}
