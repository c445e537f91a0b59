/** Owns handing the live model to the person as a file. */
import { toast } from '../controls/toast.tsx';
import { session } from '../useSession.ts';

/** Offers the zip as a download; a failure becomes a short message. */
export async function downloadLiveModel(): Promise<void> {
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
  const link = document.createElement('a');
  link.href = URL.createObjectURL(exported.zip);
  link.download = exported.fileName;
  link.click();
  // The browser has taken hold of the bytes once the click has been handled.
  setTimeout(() => URL.revokeObjectURL(link.href), 0);
}
