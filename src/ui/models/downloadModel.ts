/** Exports the current model and hands it to the browser as a download. */
import { download } from '../controls/download.ts';
import { toast } from '../controls/toast.tsx';
import { session } from '../useSession.ts';

/** Offers the zip as a download; a failure becomes a short message. */
export async function downloadModel(): Promise<void> {
  let exported: Awaited<ReturnType<typeof session.exportModel>>;
  try {
    exported = await session.exportModel();
  } catch (error) {
    toast({
      title: 'The model could not be exported',
      description: error instanceof Error ? error.message : String(error),
    });
    return;
  }
  download(exported.zip, exported.fileName);
}
